#!/usr/bin/env python3
"""Encode and decode with PyPI `tokenizers`, to compare with rnnsearch.

    tokenizers_agree.py tokenizer.json TEXT                     print the ids, one line a sentence
    tokenizers_agree.py tokenizer.json TEXT --decode            print the text that the ids decode to
    tokenizers_agree.py tokenizer.json TEXT --ids IDS           compare them with IDS, made by rnnsearch
    tokenizers_agree.py tokenizer.json TEXT --ids IDS --decoded DECODED
                                                                and the decoded text with DECODED, made by rnnsearch

IDS and DECODED come from the example `tokenize` of the crate rnnsearch-corpus:

    cargo run --release -p rnnsearch-corpus --example tokenize -- encode tokenizer.json TEXT > IDS
    cargo run --release -p rnnsearch-corpus --example tokenize -- decode tokenizer.json IDS > DECODED

Exit status 1 if a line differs. Needs: pip install tokenizers (0.23 was tried).
"""

import argparse
import sys

from tokenizers import Tokenizer


def read_lines(path):
    """Lines as rnnsearch reads them: split on line feeds alone, less one carriage return and a byte order mark."""
    with open(path, "rb") as file:
        data = file.read().removeprefix(b"\xef\xbb\xbf")
    lines = [line.removesuffix(b"\r") for line in data.split(b"\n")]
    if data.endswith(b"\n") or not data:
        lines.pop()
    return [line.decode("utf-8") for line in lines]


def differences(name, ours, theirs):
    """Print the first differing lines and return how many there are."""
    if len(ours) != len(theirs):
        sys.exit(f"{name}: {len(ours)} lines by rnnsearch, {len(theirs)} by tokenizers")
    differing = [number for number, pair in enumerate(zip(ours, theirs), 1) if pair[0] != pair[1]]
    for number in differing[:5]:
        print(f"{name} {number}: rnnsearch  {ours[number - 1]!r}")
        print(f"{name} {number}: tokenizers {theirs[number - 1]!r}")
    print(f"{name}: {len(ours) - len(differing)} of {len(ours)} lines agree")
    return len(differing)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokenizer")
    parser.add_argument("text")
    parser.add_argument("--decode", action="store_true")
    parser.add_argument("--ids")
    parser.add_argument("--decoded")
    arguments = parser.parse_args()

    tokenizer = Tokenizer.from_file(arguments.tokenizer)
    ids = [encoding.ids for encoding in tokenizer.encode_batch(read_lines(arguments.text))]
    if not arguments.ids:
        for line in ids:
            text = tokenizer.decode(line, skip_special_tokens=False) if arguments.decode else " ".join(map(str, line))
            sys.stdout.buffer.write(text.encode("utf-8") + b"\n")
        return
    failures = differences("ids", [[int(id) for id in line.split()] for line in read_lines(arguments.ids)], ids)
    if arguments.decoded:
        decoded = [tokenizer.decode(line, skip_special_tokens=False) for line in ids]
        failures += differences("text", read_lines(arguments.decoded), decoded)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
