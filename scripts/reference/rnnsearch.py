#!/usr/bin/env python3
"""Makes the numbers that the Rust model is tested against: forward values and gradients of small networks.

    rnnsearch.py --output crates/decoder/tests/fixtures    writes one safetensors file a case
    rnnsearch.py --self-check                              tests the program that makes them

The formulas are in rnnsearch_model.py, the networks and sentences in rnnsearch_cases.py. Results are computed in 64
bits and rounded to 32 bits once, here.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from safetensors.torch import save
from torch import Tensor

import rnnsearch_checks
from rnnsearch_cases import CASES, Case, Result, compute_case
from rnnsearch_model import Settings

LATER = ("decoder", "layer_norm")


def tensors(result: Result) -> dict[str, Tensor]:
    """The contents of a file: ids and lengths as int64, the rest as float32."""
    batch, outputs = result.batch, result.outputs
    whole = {name: getattr(batch, name) for name in ("source", "source_lengths", "target", "target_lengths")}
    real = {f"param.{name}": value for name, value in result.parameters.items()}
    real |= {f"grad.{name}": value for name, value in result.gradients.items()}
    real |= {name: value for name, value in vars(outputs).items() if value is not None}
    real |= {"nll": result.nll, "loss": result.loss[None]}
    return whole | {name: value.detach().float().contiguous() for name, value in real.items()}


def metadata(case: Case) -> dict[str, str]:
    """The settings of a case under the one key `case`, as JSON; `model` in it has the keys of the `[model]` table."""
    model = asdict(case.settings)
    # What came later is named only where it is used: the files of older cases stay as they are.
    model = {key: value for key, value in model.items() if key not in LATER or value != getattr(Settings(), key)}
    vocabularies = {name: model.pop(name) for name in ("source_vocabulary", "target_vocabulary")}
    model["dropout"] = {"embedding": 0.0, "recurrent": 0.0, "hidden": 0.0, "readout": 0.0}
    facts = {"name": case.name, "description": case.description, "model": model, **vocabularies}
    facts["label_smoothing"] = case.label_smoothing
    if case.consistency > 0:
        facts["consistency"] = case.consistency
    return {"case": json.dumps(facts, ensure_ascii=False)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--output", type=Path, metavar="FOLDER", help="write the files of all cases here")
    action.add_argument("--self-check", action="store_true", help="test this program; exit code 1 if a check fails")
    arguments = parser.parse_args()
    if arguments.self_check:
        raise SystemExit(rnnsearch_checks.run_all())
    arguments.output.mkdir(parents=True, exist_ok=True)
    for case in CASES:
        path = arguments.output / f"{case.name}.safetensors"
        path.write_bytes(save(tensors(compute_case(case)), metadata(case)))
        print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
