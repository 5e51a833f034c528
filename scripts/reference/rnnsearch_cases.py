"""The cases: small networks, random parameters and sentences for them, and what comes out.

Parameters are drawn as 32-bit floats and everything is computed from them in 64 bits.
"""

import zlib
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor

from rnnsearch_model import (
    END,
    PAD,
    UNK,
    Batch,
    Outputs,
    Parameters,
    Settings,
    negative_log_likelihood,
    parameter_shapes,
    run,
    smoothed_loss,
    twins_divergence,
)


@dataclass(frozen=True)
class Case:
    """One network, one batch, one loss."""

    name: str
    description: str
    settings: Settings
    source_lengths: tuple[int, ...] = (4, 7, 1, 6)  # in no order, and the longest is not the first
    target_lengths: tuple[int, ...] = (5, 2, 6, 1)  # END included; the last target is empty
    label_smoothing: float = 0.0
    consistency: float = 0.0  # the weight of the twins' divergence; where it is not 0, every two columns have one target


SHARED = Settings(reset="after", readout=5, share_embeddings=True, source_vocabulary=12, target_vocabulary=12)
CASES = (
    Case("reset-before", "the network of the paper", Settings(reset="before")),
    Case("reset-after", "the reset gate acts after the recurrent product", Settings(reset="after")),
    Case(
        "no-attention",
        "RNNencdec: the last forward annotation at every step",
        Settings(reset="before", attention="none"),
    ),
    Case(
        "no-attention-deep",
        "RNNencdec with the last forward annotation of the upper of two layers",
        Settings(reset="after", attention="none", encoder_layers=2, decoder_layers=2),
    ),
    Case(
        "deep-before",
        "two layers on either side, reset before the product",
        Settings(reset="before", encoder_layers=2, decoder_layers=2),
    ),
    Case(
        "deep-after",
        "two layers on either side, reset after the product",
        Settings(reset="after", encoder_layers=2, decoder_layers=2),
    ),
    Case("shared", "one embedding table for both languages", SHARED),
    Case(
        "tied",
        "the target embedding table is the output layer too",
        Settings(reset="before", readout=5, tie_output=True),
    ),
    Case(
        "shared-tied",
        "one table for source, target and output",
        Settings(**{**asdict(SHARED), "tie_output": True}),
        label_smoothing=0.1,
    ),
    Case("label-smoothing", "ε = 0.1", Settings(reset="after"), label_smoothing=0.1),
    Case("single-word", "a batch of one sentence of one word", Settings(reset="after"), (1,), (3,)),
    Case("long-before", "longer sentences", Settings(reset="before"), (17, 30, 24), (25, 19, 8), 0.1),
    Case("long-after", "longer sentences", Settings(reset="after"), (30, 3, 28), (25, 13, 25), 0.1),
    Case("twins", "R-Drop: two sources for each target", Settings(reset="after"), (4, 7, 6, 1), (5, 5, 2, 2), 0.1, 5.0),
    Case("conditional", "a second unit takes the context", Settings(reset="after", decoder="conditional")),
    Case(
        "layer-norm-before",
        "layer normalisation, reset before the product",
        Settings(reset="before", layer_norm=True),
    ),
    Case(
        "layer-norm-after",
        "layer normalisation, two layers on either side",
        Settings(reset="after", layer_norm=True, encoder_layers=2, decoder_layers=2),
    ),
    Case(
        "layer-norm-conditional",
        "layer normalisation of both units",
        Settings(reset="after", layer_norm=True, decoder="conditional"),
    ),
    Case(
        "layer-norm-no-attention",
        "layer normalisation of a fixed context",
        Settings(reset="before", layer_norm=True, attention="none"),
    ),
)


# ---- Inputs ----


def random_numbers(case: Case) -> np.random.RandomState:
    """A generator whose stream NumPy promises never to change (unlike `default_rng`), seeded by the case's name."""
    return np.random.RandomState(zlib.crc32(case.name.encode()))


def draw_parameters(settings: Settings, random: np.random.RandomState) -> Parameters:
    """Normal parameters, float32 values in float64 tensors.

    They are large enough (a deviation of 0.5; 1 for embeddings and attention) for gates to open and close and for
    the alignment to prefer some words.
    """

    def draw(name: str, shape: tuple[int, ...]) -> Tensor:
        deviation = 1.0 if name.startswith(("source_", "target_", "attention.")) else 0.5
        values = np.float32(random.normal(0.0, deviation, shape))
        return torch.from_numpy(values).double().requires_grad_()

    return {name: draw(name, shape) for name, shape in parameter_shapes(settings).items()}


def draw_sentences(vocabulary: int, lengths: tuple[int, ...], end: bool, random: np.random.RandomState) -> Tensor:
    """Sentences of random words, UNK among them, as columns of ids, [longest, B]; each ends in END if `end`."""
    ids = np.full((max(lengths), len(lengths)), PAD)
    words = [UNK, *range(END + 1, vocabulary)]
    for column, length in enumerate(lengths):
        ids[:length, column] = random.choice(words, length)
        if end:
            ids[length - 1, column] = END
    return torch.from_numpy(ids)


def draw_batch(case: Case, random: np.random.RandomState) -> Batch:
    """The sentence pairs of a case."""
    settings = case.settings
    source = draw_sentences(settings.source_vocabulary, case.source_lengths, False, random)
    target = draw_sentences(settings.target_vocabulary, case.target_lengths, True, random)
    if case.consistency > 0:
        target[:, 1::2] = target[:, ::2]
    return Batch(
        source=source,
        source_lengths=torch.tensor(case.source_lengths),
        target=target,
        target_lengths=torch.tensor(case.target_lengths),
    )


# ---- Results ----


@dataclass
class Result:
    """Everything that is known about a case."""

    parameters: Parameters
    batch: Batch
    outputs: Outputs
    nll: Tensor
    loss: Tensor
    gradients: Parameters


def loss_of(case: Case, outputs: Outputs, batch: Batch) -> Tensor:
    """What is made small, a scalar in nats."""
    loss = smoothed_loss(outputs.logits, batch, case.label_smoothing)
    if case.consistency > 0:
        loss = loss + case.consistency * twins_divergence(outputs.logits, batch)
    return loss


def compute(case: Case, parameters: Parameters, batch: Batch) -> Result:
    """Runs the network forwards and backwards."""
    outputs = run(case.settings, parameters, batch)
    loss = loss_of(case, outputs, batch)
    gradients = torch.autograd.grad(loss, list(parameters.values()))
    return Result(
        parameters=parameters,
        batch=batch,
        outputs=outputs,
        nll=negative_log_likelihood(outputs.logits, batch),
        loss=loss,
        gradients=dict(zip(parameters, gradients, strict=True)),
    )


def compute_case(case: Case) -> Result:
    """Draws the inputs of a case and computes its result."""
    random = random_numbers(case)
    parameters = draw_parameters(case.settings, random)
    return compute(case, parameters, draw_batch(case, random))
