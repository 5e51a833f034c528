"""Tests of the reference program: against PyTorch's own layers, a second transcription, and finite differences."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from rnnsearch_cases import CASES, Case, Result, compute, compute_case, loss_of
from rnnsearch_model import BEGIN, PAD, Batch, Parameters, Settings, run

Vector = np.ndarray
Vectors = dict[str, np.ndarray]


def run_all() -> int:
    """Runs every check on every case and prints the largest difference found; returns the exit code."""
    checks = (
        (encoder_is_torch_gru, 1e-12),
        (loss_is_torch_cross_entropy, 1e-12),
        (network_is_second_transcription, 1e-12),
        (gradients_are_finite_differences, 1e-6),
        (sentences_are_the_same_alone, 1e-12),
        (padding_is_never_read, 0.0),
        (every_parameter_matters, 0.0),
    )
    failed = False
    for check, tolerance in checks:
        differences = {case.name: difference for case in CASES if (difference := check(case)) is not None}
        bad = [name for name, difference in differences.items() if not difference <= tolerance]
        failed |= bool(bad) or not differences
        verdict = f"FAILED in {', '.join(bad)}" if bad else "ok"
        worst = max(differences.values())
        print(f"{check.__name__}: {len(differences)} cases, difference {worst:.1e} <= {tolerance:.0e}: {verdict}")
    values, gradients = np.max([float32_error(case) for case in CASES], axis=0)
    print(f"the same in 32 bits: values differ by {values:.1e}, gradients by {gradients:.1e} of their largest entry")
    return int(failed)


def largest_difference(pairs: Iterator[tuple[Tensor, Tensor]]) -> float:
    """The largest absolute difference between tensors that should be equal."""
    return max((one - other).abs().max().item() for one, other in pairs if one.numel() > 0)


# ---- PyTorch's own layers ----


def encoder_is_torch_gru(case: Case) -> float | None:
    """Annotations equal those of `torch.nn.GRU`, which only knows `reset = "after"`."""
    settings = case.settings
    if settings.reset == "before" or settings.layer_norm:
        return None
    result = compute_case(case)
    batch, n = result.batch, settings.encoder_hidden
    gru = nn.GRU(settings.embedding, n, settings.encoder_layers, bidirectional=True, dtype=torch.float64)
    for layer in range(settings.encoder_layers):
        for direction, suffix in (("forward", ""), ("backward", "_reverse")):
            weights = torch_gru_weights(result.parameters, f"encoder.{layer}.{direction}")
            for kind, value in zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), weights, strict=True):
                setattr(gru, f"{kind}_l{layer}{suffix}", nn.Parameter(value))
    embedded = result.parameters["source_embedding"][batch.source]
    packed = nn.utils.rnn.pack_padded_sequence(embedded, batch.source_lengths, enforce_sorted=False)
    expected, _ = nn.utils.rnn.pad_packed_sequence(gru(packed)[0])
    mask = batch.source_mask()
    return largest_difference([(result.outputs.annotations[mask], expected[mask])])


def torch_gru_weights(parameters: Parameters, name: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Our unit as PyTorch's, whose update gate keeps the old state (h' = (1 - z) n + z h).

    1 - σ(x) = σ(-x): the columns of the update gate change their sign. Matrices are transposed, and b_u is the
    candidate's part of the second bias.
    """
    bias = parameters[f"{name}.recurrent_bias"].detach()
    n = len(bias)
    sign = torch.ones(3 * n, dtype=torch.float64)
    sign[n : 2 * n] = -1
    input_weight, recurrent_weight, input_bias = (
        (parameters[f"{name}.{part}"] * sign).detach() for part in ("input_weight", "recurrent_weight", "input_bias")
    )
    return input_weight.T, recurrent_weight.T, input_bias, torch.cat([bias.new_zeros(2 * n), bias])


def loss_is_torch_cross_entropy(case: Case) -> float:
    """The loss equals PyTorch's `cross_entropy`, smoothed and averaged over what is not padding, and its `kl_div` of twins."""
    result = compute_case(case)
    logits, target = result.outputs.logits.flatten(0, 1), result.batch.target.flatten()
    loss = nn.functional.cross_entropy(logits, target, ignore_index=0, label_smoothing=case.label_smoothing)
    if case.consistency > 0:
        twins = logits.log_softmax(dim=-1)[target != PAD].unflatten(0, (-1, 2)).unbind(dim=1)
        both = [nn.functional.kl_div(q, p, reduction="sum", log_target=True) for p, q in (twins, twins[::-1])]
        loss = loss + case.consistency * sum(both) / 2 / (target != PAD).sum()
    nll = nn.functional.cross_entropy(logits, target, ignore_index=0, reduction="none").view_as(result.batch.target)
    return largest_difference([(result.loss, loss), (result.nll, nll.sum(dim=0))])


# ---- A second transcription of the paper: one sentence, vectors, no batch, no mask ----


def network_is_second_transcription(case: Case) -> float:
    """Forward values equal those of `one_sentence`."""
    result = compute_case(case)
    parameters = {name: value.detach().numpy() for name, value in result.parameters.items()}
    outputs = result.outputs
    pairs = []
    for column, (source, target) in enumerate(sentences(result.batch)):
        annotations, alignment, states, logits = one_sentence(case.settings, parameters, source, target)
        pairs.append((outputs.annotations[: len(source), column], annotations))
        pairs.append((outputs.states[: len(target), column], states))
        pairs.append((outputs.logits[: len(target), column], logits))
        if outputs.alignment is not None:
            pairs.append((outputs.alignment[: len(target), column, : len(source)], alignment))
    return largest_difference((ours, torch.tensor(np.array(expected))) for ours, expected in pairs)


def sentences(batch: Batch) -> Iterator[tuple[list[int], list[int]]]:
    """The ids of each sentence pair, without padding."""
    for column, (source_length, target_length) in enumerate(
        zip(batch.source_lengths, batch.target_lengths, strict=True)
    ):
        yield batch.source[:source_length, column].tolist(), batch.target[:target_length, column].tolist()


def sigmoid(x: Vector) -> Vector:
    return 1 / (1 + np.exp(-x))


def ln(p: Vectors, gain: str, a: Vector, candidate: bool = False) -> Vector:
    """g (a - μ) / √(σ² + ε), with the gain of both gates or of the candidate; a itself in a network without."""
    if gain not in p:
        return a
    third = len(p[gain]) // 3
    g = p[gain][2 * third :] if candidate else p[gain][: 2 * third]
    deviations = a - sum(a) / len(a)
    return g * deviations / np.sqrt(sum(deviations**2) / len(a) + 1e-5)


def unit(
    settings: Settings, p: Vectors, name: str, x: Vector, h: Vector, from_context: tuple[Vector, Vector] | None = None
) -> Vector:
    """A.1.1 with the matrices of both gates and that of the candidate, to the left of their vectors as the paper has it."""
    n = len(h)
    gates, candidate = slice(2 * n), slice(2 * n, None)
    W, U, b = p[f"{name}.input_weight"].T, p[f"{name}.recurrent_weight"].T, p[f"{name}.input_bias"]
    of_gates, of_candidate = from_context or (0.0, 0.0)
    both = ln(p, f"{name}.input_gain", W[gates] @ x) + ln(p, f"{name}.recurrent_gain", U[gates] @ h) + b[gates]
    r, z = np.split(sigmoid(both + of_gates), 2)
    if settings.reset == "before":
        recurrent = ln(p, f"{name}.recurrent_gain", U[candidate] @ (r * h), candidate=True)
    else:
        recurrent = ln(p, f"{name}.recurrent_gain", U[candidate] @ h, candidate=True)
        recurrent = r * (recurrent + p[f"{name}.recurrent_bias"])
    of_input = ln(p, f"{name}.input_gain", W[candidate] @ x, candidate=True) + b[candidate]
    return (1 - z) * h + z * np.tanh(of_input + of_candidate + recurrent)


def context_part(p: Vectors, c: Vector) -> tuple[Vector, Vector]:
    """What the context gives to both gates, and to the candidate, of a decoder of one unit."""
    C = p["decoder.0.context_weight"].T
    n = len(C) // 3
    gain = "decoder.0.context_gain"
    return ln(p, gain, C[: 2 * n] @ c), ln(p, gain, C[2 * n :] @ c, candidate=True)


def one_sentence(settings: Settings, p: Vectors, source: list[int], target: list[int]) -> tuple[list[Vector], ...]:
    """Annotations, alignment, states and logits of one sentence pair."""
    target_table = p["source_embedding"] if settings.share_embeddings else p["target_embedding"]
    below = [p["source_embedding"][word] for word in source]
    for layer in range(settings.encoder_layers):
        forward, backward = [], []
        h = np.zeros(settings.encoder_hidden)
        for x in below:
            h = unit(settings, p, f"encoder.{layer}.forward", x, h)
            forward.append(h)
        h = np.zeros(settings.encoder_hidden)
        for x in below[::-1]:
            h = unit(settings, p, f"encoder.{layer}.backward", x, h)
            backward.append(h)
        below = [np.concatenate(pair) for pair in zip(forward, backward[::-1], strict=True)]
    annotations = below

    s = [
        np.tanh(p[f"bridge.{layer}.weight"].T @ backward[-1] + p[f"bridge.{layer}.bias"])
        for layer in range(settings.decoder_layers)
    ]
    alignments, states, logits = [], [], []
    for previous_word in [BEGIN, *target[:-1]]:
        y = target_table[previous_word]
        if settings.decoder == "conditional":
            s[0] = unit(settings, p, "decoder.0", y, s[0])
        if settings.attention == "none":
            c = forward[-1]
        else:
            W_a, U_a, v_a = (p[f"attention.{part}_weight"].T for part in ("query", "key", "energy"))
            weights = [np.exp(v_a @ np.tanh(W_a @ s[0] + U_a @ h_j)) for h_j in annotations]
            alignments.append(np.array(weights) / sum(weights))
            c = sum(weight * h_j for weight, h_j in zip(alignments[-1], annotations, strict=True))
        if settings.decoder == "conditional":
            s[0] = unit(settings, p, "decoder.0.second", c, s[0])
        else:
            s[0] = unit(settings, p, "decoder.0", y, s[0], context_part(p, c))
        for layer in range(1, settings.decoder_layers):
            s[layer] = unit(settings, p, f"decoder.{layer}", s[layer - 1], s[layer])
        U_o, V_o, C_o = (p[f"readout.{part}_weight"].T for part in ("state", "embedding", "context"))
        t = U_o @ s[-1] + V_o @ y + C_o @ c + p["readout.bias"]
        t = [max(t[2 * j], t[2 * j + 1]) for j in range(settings.readout)]
        W_o = target_table if settings.tie_output else p["output.weight"].T
        states.append(s[-1])
        logits.append(W_o @ t + p["output.bias"])
    return annotations, alignments, states, logits


# ---- Gradients ----


def gradients_are_finite_differences(case: Case, tries: int = 2, step: float = 1e-5) -> float:
    """Central differences of the loss at random entries of every parameter, relative to its largest gradient."""
    result = compute_case(case)
    random = np.random.RandomState(0)
    worst = 0.0
    for name, gradient in result.gradients.items():
        # The gradient can be zero everywhere: nothing depends on the alignment of a source of one word.
        scale = max(gradient.abs().max().item(), 1e-3)
        for _ in range(tries):
            entry = tuple(random.randint(size) for size in gradient.shape)
            after, before = (loss_after(case, result, name, entry, change) for change in (step, -step))
            worst = max(worst, abs((after - before) / (2 * step) - gradient[entry].item()) / scale)
    return worst


@torch.no_grad()
def loss_after(case: Case, result: Result, name: str, entry: tuple[int, ...], change: float) -> float:
    """The loss when one entry of one parameter is changed."""
    changed = result.parameters[name].clone()
    changed[entry] += change
    outputs = run(case.settings, {**result.parameters, name: changed}, result.batch)
    return loss_of(case, outputs, result.batch).item()


def every_parameter_matters(case: Case) -> float:
    """No gradient is so small that a test could miss it, but where the formulas make it zero. 1 if one is, else 0."""
    result = compute_case(case)
    one_word = max(case.source_lengths) == 1
    # One word: the alignment is 1 whatever the energies, and the encoder never leaves the zero state it starts from.
    zero = {name for name in result.gradients if one_word and is_idle_for_one_word(name)}
    largest = {name: gradient.abs().max().item() for name, gradient in result.gradients.items()}
    return float(any(value > 1e-12 if name in zero else value < 1e-4 for name, value in largest.items()))


def is_idle_for_one_word(name: str) -> bool:
    """Whether a source of one word leaves this parameter without influence."""
    return name.startswith("attention.") or (name.startswith("encoder.") and name.endswith("recurrent_weight"))


# ---- Batches ----


def sentences_are_the_same_alone(case: Case) -> float:
    """Every sentence gives the same numbers alone as in the batch, and the batch's gradient is theirs, weighted; but for twins, which count together."""
    case = replace(case, consistency=0.0)
    result = compute_case(case)
    share = result.batch.target_lengths.double() / result.batch.target_lengths.sum()
    gradients = {name: torch.zeros_like(value) for name, value in result.gradients.items()}
    pairs = []
    for column in range(len(share)):
        alone = compute(case, result.parameters, only(result.batch, column))
        source, target = alone.batch.source_lengths[0], alone.batch.target_lengths[0]
        here, there = alone.outputs, result.outputs
        pairs.append((here.annotations[:, 0], there.annotations[:source, column]))
        pairs.append((here.initial_states[:, 0], there.initial_states[:, column]))
        pairs.append((here.states[:, 0], there.states[:target, column]))
        pairs.append((here.logits[:, 0], there.logits[:target, column]))
        pairs.append((alone.nll[0], result.nll[column]))
        if here.alignment is not None:
            pairs.append((here.alignment[:, 0], there.alignment[:target, column, :source]))
        gradients = {name: value + share[column] * alone.gradients[name] for name, value in gradients.items()}
    pairs += [(result.gradients[name], value) for name, value in gradients.items()]
    return largest_difference(pairs)


def only(batch: Batch, column: int) -> Batch:
    """A batch of one of the sentences, without padding."""
    source_length, target_length = batch.source_lengths[column], batch.target_lengths[column]
    return Batch(
        source=batch.source[:source_length, column : column + 1],
        source_lengths=source_length[None],
        target=batch.target[:target_length, column : column + 1],
        target_lengths=target_length[None],
    )


def padding_is_never_read(case: Case) -> float:
    """With other ids in the place of padding, real positions and all gradients are the same to the last bit.

    Annotations at padding hold the last forward state and the zero that the backward direction starts from; the
    alignment is exactly 0 there.
    """
    result = compute_case(case)
    batch, mask, target_mask = result.batch, result.batch.source_mask(), result.batch.target_mask()
    source, target = batch.source.masked_fill(~mask, 7), batch.target.masked_fill(~target_mask, 9)
    other = compute(case, result.parameters, replace(batch, source=source, target=target))
    pairs = [(result.outputs.annotations, other.outputs.annotations), (result.nll, other.nll)]
    pairs.append((result.outputs.logits[target_mask], other.outputs.logits[target_mask]))
    pairs += [(result.gradients[name], other.gradients[name]) for name in result.gradients]
    for column, length in enumerate(batch.source_lengths):
        forward, backward = result.outputs.annotations[length - 1 :, column].chunk(2, dim=-1)
        pairs.append((forward, forward[:1].expand_as(forward)))
        pairs.append((backward[1:], torch.zeros_like(backward[1:])))
    if result.outputs.alignment is not None:
        at_padding = result.outputs.alignment.masked_fill(mask.T, 0.0)
        pairs.append((at_padding, torch.zeros_like(at_padding)))
    return largest_difference(pairs)


# ---- Precision ----


def float32_error(case: Case) -> tuple[float, float]:
    """How far the same program in 32 bits is off: values absolutely, gradients relative to their largest entry."""
    exact = compute_case(case)
    short = {name: value.detach().float().requires_grad_() for name, value in exact.parameters.items()}
    rounded = compute(case, short, exact.batch)
    values = largest_difference(
        (one, getattr(rounded.outputs, name)) for name, one in vars(exact.outputs).items() if one is not None
    )
    gradients = max(
        ((rounded.gradients[name] - value).abs().max() / value.abs().max()).item()
        for name, value in exact.gradients.items()
        if value.abs().max() > 1e-12
    )
    return values, gradients
