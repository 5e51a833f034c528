#!/usr/bin/env python3
"""Times updates of rnnsearch and of a PyTorch program in turn, on the same work, and prints the ratios.

    cargo build --release
    python3 -m venv venv && venv/bin/pip install torch numpy
    scripts/compare/train.py --python venv/bin/python

Every number is the median over rounds in which both programs ran, one right after the other. Run it on an idle machine.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
SIZES = {"small": (256, 8000), "large": (512, 16000)}
# What holds on to freed memory helps PyTorch; rnnsearch does so by itself.
TUNED = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "17179869184"}


def run(command, environment=None):
    result = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(result.stdout.splitlines()[-1])


def ours(program, precision, size, vocabulary, args):
    sizes = ["embedding", "encoder_hidden", "decoder_hidden", "attention_hidden", "readout"]
    settings = [f"model.{name}={size}" for name in sizes]
    settings += [f"model.dropout.{name}=0" for name in ("embedding", "hidden", "readout")]
    settings.append(f"training.precision={precision}")
    command = [program, "bench", "train", "--json", "--vocabulary", str(vocabulary), "--updates", str(args.updates)]
    command += ["--threads", str(args.threads)] + [part for setting in settings for part in ("--set", setting)]
    return run(command)


def theirs(size, vocabulary, args, environment=None, options=()):
    command = [args.python, str(HERE / "pytorch.py"), "--embedding", str(size), "--hidden", str(size)]
    command += ["--vocabulary", str(vocabulary), "--updates", str(args.updates), "--threads", str(args.threads), *options]
    return run(command, environment)


def report(name, results):
    """A line of the table, from the results of each program, first ours."""
    def middle(key):
        return [statistics.median(result[key] for result in rounds) for rounds in results]
    rates, memory = middle("target_tokens_per_second"), middle("peak_memory_bytes")
    print(f"{name:<6}" + "".join(f"{rate:12.0f}{size / 1e6:8.0f}" for rate, size in zip(rates, memory)), end="")
    ratios = [statistics.median(a["target_tokens_per_second"] / b["target_tokens_per_second"]
                                for a, b in zip(results[0], other)) for other in results[1:]]
    print("".join(f"{ratio:12.2f}" for ratio in ratios))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default="python3", help="an interpreter that has torch")
    parser.add_argument("--program", default=None, help="the rnnsearch to time [default: target/release/rnnsearch]")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--updates", type=int, default=10)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--precision", choices=["auto", "float32", "float16", "bfloat16"], default="float32",
                        help="of rnnsearch's products")
    args = parser.parse_args()
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent.parent / "target"))
    program = args.program or str(target / "release" / "rnnsearch")
    print(f"target tokens/s and peak MB, with products of {args.precision}:  "
          "rnnsearch  |  PyTorch eager  |  the same, allocator tuned  |  the same in bfloat16  |  ratios")
    for name, (size, vocabulary) in SIZES.items():
        results = ([], [], [], [])
        tuned = {**os.environ, **TUNED}
        for _ in range(args.rounds):
            results[0].append(ours(program, args.precision, size, vocabulary, args))
            results[1].append(theirs(size, vocabulary, args))
            results[2].append(theirs(size, vocabulary, args, tuned))
            results[3].append(theirs(size, vocabulary, args, tuned, ["--bfloat16"]))
        report(name, results)


if __name__ == "__main__":
    main()
