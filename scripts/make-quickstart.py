#!/usr/bin/env python3
"""Makes data/quickstart: English and French sentences from a grammar, with the links between their words.

    scripts/make-quickstart.py               write the corpus
    scripts/make-quickstart.py --check       compare the files with what the grammar makes: exit 1 if they differ
    scripts/make-quickstart.py --self-test   check the grammar on examples
    scripts/make-quickstart.py --sample 20   print some sentences with their links, for reading

Needs Python 3.11 or newer and nothing else. The same seed gives the same bytes on every machine.
"""

import argparse
import hashlib
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

from quickstart import corpus, selftest  # noqa: E402
from quickstart.draw import Draw  # noqa: E402
from quickstart.sentences import sentence  # noqa: E402

FOLDER = Path(__file__).resolve().parent.parent / "data" / "quickstart"


def main():
    arguments = parse_arguments()
    if arguments.self_test:
        return self_test()
    if arguments.sample:
        return sample(arguments.sample, arguments.seed)
    built = corpus.build(arguments.seed)
    texts = {name: text.encode() for name, text in corpus.files(built).items()}
    texts["SHA256SUMS"] = checksums(texts)
    statistics = corpus.statistics(built)
    if arguments.check:
        return check(texts, statistics, arguments.output)
    write(texts, arguments.output)
    print(statistics)
    return 0


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--output", type=Path, default=FOLDER, metavar="DIR", help="the folder of the corpus (default: data/quickstart)"
    )
    parser.add_argument(
        "--seed", type=int, default=corpus.SEED, help="another seed makes another corpus (default: %(default)s)"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="compare instead of writing")
    what.add_argument("--self-test", action="store_true", help="check the grammar instead of writing")
    what.add_argument("--sample", type=int, metavar="N", help="print N random sentences instead of writing")
    return parser.parse_args()


def self_test():
    faults = selftest.run()
    for fault in faults:
        print(f"make-quickstart: {fault}", file=sys.stderr)
    print(f"{len(selftest.EXAMPLES)} examples, {len(faults)} faults")
    return 1 if faults else 0


def sample(count, seed):
    draw = Draw(seed)
    for _ in range(count):
        s = sentence(draw)
        print(s.english, s.french, "  " + corpus.talp(s.links), "", sep="\n")
    return 0


def checksums(texts):
    """The format of sha256sum."""
    return "".join(f"{hashlib.sha256(text).hexdigest()}  {name}\n" for name, text in sorted(texts.items())).encode()


def check(texts, statistics, folder):
    wrong = [name for name, text in texts.items() if read(folder / name) != text]
    for name in wrong:
        print(f"make-quickstart: {folder / name} is not what the grammar makes", file=sys.stderr)
    if wrong:
        print("make-quickstart: run scripts/make-quickstart.py to write the corpus again", file=sys.stderr)
    elif folder == FOLDER and statistics.encode() not in read(folder / "README.md"):
        print(
            f"make-quickstart: {folder / 'README.md'} has other statistics; they are now\n{statistics}", file=sys.stderr
        )
        return 1
    return 1 if wrong else 0


def read(path):
    return path.read_bytes() if path.is_file() else b""


def write(texts, folder):
    """Each file appears whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(text)
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        os.replace(temporary, folder / name)


if __name__ == "__main__":
    sys.exit(main())
