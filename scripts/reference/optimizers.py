#!/usr/bin/env python3
"""Makes the numbers that the optimisers are tested against: what PyTorch's do to one small parameter in five steps.

    optimizers.py --output crates/training/tests/fixtures/optimizers.json

Everything is computed in 64 bits from numbers that 32-bit floats represent, and rounded to 32 bits when written.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

# Numbers that 32 bits hold exactly. The gradients of the first entry are always 0, those of the second are so small
# that it matters whether epsilon is added to the square root or under it; the others change sign and size.
PARAMETER = [[0.5, -1.25, 2.0], [-0.75, 0.125, 1.5]]
GRADIENTS = [
    [[0.0, 2.0**-16, 1.5], [-0.5, 0.0625, -3.0]],
    [[0.0, -(2.0**-17), 0.75], [-0.25, 0.5, 2.0]],
    [[0.0, 2.0**-16, -2.5], [-1.0, -0.125, 0.5]],
    [[0.0, 2.0**-15, 0.25], [-0.5, 8.0, -0.0625]],
    [[0.0, 2.0**-16, 1.0], [0.125, -0.25, 4.0]],
]

# Options have the names of the `[training.optimizer]` table.
MOMENTS = {"learning_rate": 0.01, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
PAPER = {"learning_rate": 1.0, "rho": 0.95, "epsilon": 1e-6}
CASES = {
    "adam": {"kind": "adam", **MOMENTS},
    "adam, other settings": {"kind": "adam", "learning_rate": 0.1, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-4},
    "adam, weight decay": {"kind": "adam", **MOMENTS, "weight_decay": 0.1},
    "adamw": {"kind": "adamw", **MOMENTS},
    "adamw, weight decay": {"kind": "adamw", **MOMENTS, "weight_decay": 0.1},
    "adadelta": {"kind": "adadelta", **PAPER},
    "adadelta, other settings": {"kind": "adadelta", "learning_rate": 0.5, "rho": 0.9, "epsilon": 1e-3},
    "adadelta, weight decay": {"kind": "adadelta", **PAPER, "weight_decay": 0.1},
    "sgd": {"kind": "sgd", "learning_rate": 0.1},
    "sgd, momentum": {"kind": "sgd", "learning_rate": 0.1, "momentum": 0.9},
    "sgd, weight decay": {"kind": "sgd", "learning_rate": 0.1, "weight_decay": 0.1},
    "sgd, momentum and weight decay": {"kind": "sgd", "learning_rate": 0.1, "momentum": 0.9, "weight_decay": 0.1},
}


def optimizer(parameter: Tensor, options: dict) -> torch.optim.Optimizer:
    """PyTorch's optimiser for our options; momentum is without dampening and not Nesterov's."""
    learning_rate, decay = options["learning_rate"], options.get("weight_decay", 0.0)
    common = {"lr": learning_rate, "weight_decay": decay}
    match options["kind"]:
        case "adam" | "adamw" as kind:
            rule = torch.optim.Adam if kind == "adam" else torch.optim.AdamW
            return rule([parameter], betas=(options["beta1"], options["beta2"]), eps=options["epsilon"], **common)
        case "adadelta":
            return torch.optim.Adadelta([parameter], rho=options["rho"], eps=options["epsilon"], **common)
        case "sgd":
            return torch.optim.SGD([parameter], momentum=options.get("momentum", 0.0), **common)
        case kind:
            raise ValueError(f"no optimiser is called {kind}")


def steps(options: dict) -> list[list[list[float]]]:
    """The parameter after each of the gradients."""
    parameter = torch.tensor(PARAMETER, dtype=torch.float64, requires_grad=True)
    rule = optimizer(parameter, options)
    states = []
    for gradient in GRADIENTS:
        parameter.grad = torch.tensor(gradient, dtype=torch.float64)
        rule.step()
        states.append(rounded(parameter))
    return states


def rounded(parameter: Tensor) -> list[list[float]]:
    """The shortest decimals that stand for the nearest 32-bit floats."""
    return [[float(str(np.float32(value))) for value in row] for row in parameter.detach().tolist()]


def to_json(cases: list[dict]) -> str:
    """JSON with a line a matrix, so that a change of a number is a change of a line."""
    lines = ["{", f'  "parameter": {json.dumps(PARAMETER)},', '  "gradients": [']
    lines += [",\n".join(f"    {json.dumps(gradient)}" for gradient in GRADIENTS), "  ],", '  "cases": [']
    for case in cases:
        after = ",\n".join(f"        {json.dumps(matrix)}" for matrix in case["after"])
        lines += ["    {", f'      "name": {json.dumps(case["name"])},']
        lines += [f'      "options": {json.dumps(case["options"])},', '      "after": [', after, "      ]", "    },"]
    lines[-1] = "    }"
    return "\n".join([*lines, "  ]", "}"]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, metavar="FILE", required=True, help="write the JSON file here")
    output = parser.parse_args().output
    cases = [{"name": name, "options": options, "after": steps(options)} for name, options in CASES.items()]
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(to_json(cases), encoding="utf-8")


if __name__ == "__main__":
    main()
