#!/usr/bin/env python3
"""Translates a file with Apache Spark: its lines go through `rnnsearch translate`, a process a partition.

    spark-submit scripts/bulk/spark.py MODEL INPUT OUTPUT [--program FILE] [--split-bytes N] [-- OPTION of translate...]

A line out for every line in: `cat OUTPUT/part-*` has them in order. A line that is not UTF-8, or a process that fails, makes the whole job fail.
Refused with exit code 2: `--n-best` without JSON, since its numbers would begin anew in each partition, `--shard`, and `--output`. Messages of
`translate` are in the logs of the executors and number the lines of a partition.
MODEL and the program must be at the same path on every machine.
"""
import argparse
import shlex
import sys

from pyspark.sql import SparkSession
from pyspark.sql.functions import col


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("input", help="one file, of any file system that Spark reads")
    parser.add_argument("output", help="folder to make")
    parser.add_argument("--program", default="rnnsearch")
    parser.add_argument("--split-bytes", type=int, default=1 << 20, help="bytes of text for each process")
    # What follows `--` is for `rnnsearch translate`.
    end = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    args, options = parser.parse_args(sys.argv[1:end]), sys.argv[end + 1 :]
    names = {option.partition("=")[0] for option in options}
    for name in ("--shard", "--output"):
        if name in names:
            parser.error(f"{name}: the lines of a file go through several processes into one folder")
    if "--n-best" in names and not names & {"--json", "--jsonl"}:
        parser.error("--n-best: its numbers would begin anew in each partition; add --json")
    return args, options


def decoded(rows):
    # All of a partition at once, before its process starts: `pipe` waits for ever where an error comes between lines.
    return [bytes(row[0]).decode() for row in rows]


def main():
    args, options = arguments()
    spark = SparkSession.builder.appName("rnnsearch").getOrCreate()
    # Splits of one file and size are kept in order, each a partition.
    spark.conf.set("spark.sql.files.maxPartitionBytes", args.split_bytes)
    spark.conf.set("spark.sql.files.openCostInBytes", args.split_bytes)
    # `textFile` would end lines at carriage returns too, and replace what is not UTF-8 in silence.
    lines = spark.read.text(args.input, lineSep="\n").select(col("value").cast("binary")).rdd
    command = shlex.join([args.program, "translate", args.model, "-", "--quiet", "--threads", "1", *options])
    # Without `checkCode` the exit codes of the processes are ignored.
    lines.mapPartitions(decoded).pipe(command, checkCode=True).saveAsTextFile(args.output)
    spark.stop()


if __name__ == "__main__":
    main()
