"""RNNsearch in plain tensor operations: the formulas of the paper, and nothing to make them fast.

Bahdanau, Cho & Bengio, "Neural Machine Translation by Jointly Learning to Align and Translate" (ICLR 2015, arXiv
1409.0473), and of docs/recurrence.md where a network is conditional or has layer normalisation. Gradients come from autograd. This program shares no code with the Rust model and was written from the
formulas alone, so that a mistake in one of them shows as a difference between the two.

Shapes are written [len, batch, features]: time comes first. S is the longest source, T the longest target, B the
number of sentences, m the size of an embedding, n the units of the encoder (a direction) or the decoder, a those of
the alignment model, l the maxout units, V the target vocabulary. The three parts of a recurrent unit lie side by side
in one matrix: columns [0, n) reset gate, [n, 2n) update gate, [2n, 3n) candidate.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import layer_norm

PAD, UNK, BEGIN, END = 0, 1, 2, 3

Parameters = dict[str, Tensor]


@dataclass(frozen=True)
class Settings:
    """The shape of a network. The sizes differ from each other so that no two of them can be mixed up unnoticed."""

    embedding: int = 5
    encoder_hidden: int = 4
    decoder_hidden: int = 6
    attention_hidden: int = 3
    readout: int = 4
    encoder_layers: int = 1
    decoder_layers: int = 1
    attention: str = "additive"  # or "none": RNNencdec, which sees the last forward annotation at every step
    reset: str = "before"  # U(r∘h), the paper's; or "after": r∘(Uh + b_u)
    decoder: str = "gru"  # or "conditional": a second unit takes the context, asked for with the first's state
    layer_norm: bool = False  # of every product that goes into the gates of a unit
    share_embeddings: bool = False
    tie_output: bool = False
    source_vocabulary: int = 11
    target_vocabulary: int = 13

    @property
    def context(self) -> int:
        """Features of c_i: a whole annotation, or its forward half."""
        return self.encoder_hidden if self.attention == "none" else 2 * self.encoder_hidden


@dataclass
class Batch:
    """Sentence pairs side by side; a column is a sentence, filled up with PAD."""

    source: Tensor  # ids, [S, B]
    source_lengths: Tensor  # [B]
    target: Tensor  # ids, [T, B]: with END, without BEGIN
    target_lengths: Tensor  # [B]

    def source_mask(self) -> Tensor:
        """True at real source tokens, [S, B]."""
        return torch.arange(len(self.source))[:, None] < self.source_lengths

    def target_mask(self) -> Tensor:
        """True at real target tokens, [T, B]."""
        return torch.arange(len(self.target))[:, None] < self.target_lengths


@dataclass
class Outputs:
    """What the network computes for a batch; at padded target positions the decoder runs on and means nothing."""

    annotations: Tensor  # h_j of the top encoder layer, [S, B, 2n]
    initial_states: Tensor  # s_0 of every decoder layer, [layers, B, n]
    states: Tensor  # s_i of the top decoder layer, [T, B, n]
    alignment: Tensor | None  # α_ij, [T, B, S]; None without attention
    logits: Tensor  # [T, B, V]; their softmax is p(y_i)


# ---- Parameters ----


def parameter_shapes(settings: Settings) -> dict[str, tuple[int, ...]]:
    """Name and shape of every parameter; matrices are [inputs, outputs] and stand to the right of their input."""
    m, a, pairs = settings.embedding, settings.attention_hidden, 2 * settings.readout
    encoder, decoder, context = settings.encoder_hidden, settings.decoder_hidden, settings.context

    def recurrent_unit(name: str, inputs: int, n: int) -> dict[str, tuple[int, ...]]:
        shapes = {"input_weight": (inputs, 3 * n), "input_bias": (3 * n,), "recurrent_weight": (n, 3 * n)}
        if settings.reset == "after":
            shapes["recurrent_bias"] = (n,)
        if settings.layer_norm:
            shapes |= {"input_gain": (3 * n,), "recurrent_gain": (3 * n,)}
        return {f"{name}.{part}": shape for part, shape in shapes.items()}

    shapes: dict[str, tuple[int, ...]] = {"source_embedding": (settings.source_vocabulary, m)}
    if not settings.share_embeddings:
        shapes["target_embedding"] = (settings.target_vocabulary, m)
    for layer in range(settings.encoder_layers):
        for direction in ("forward", "backward"):
            shapes |= recurrent_unit(f"encoder.{layer}.{direction}", m if layer == 0 else 2 * encoder, encoder)
    for layer in range(settings.decoder_layers):
        shapes |= {f"bridge.{layer}.weight": (encoder, decoder), f"bridge.{layer}.bias": (decoder,)}
    if settings.attention == "additive":
        shapes |= {"attention.query_weight": (decoder, a), "attention.key_weight": (2 * encoder, a)}
        shapes["attention.energy_weight"] = (a,)
    for layer in range(settings.decoder_layers):
        shapes |= recurrent_unit(f"decoder.{layer}", m if layer == 0 else decoder, decoder)
    if settings.decoder == "conditional":
        shapes |= recurrent_unit("decoder.0.second", context, decoder)
    else:
        shapes["decoder.0.context_weight"] = (context, 3 * decoder)
        if settings.layer_norm:
            shapes["decoder.0.context_gain"] = (3 * decoder,)
    shapes |= {"readout.state_weight": (decoder, pairs), "readout.embedding_weight": (m, pairs)}
    shapes |= {"readout.context_weight": (context, pairs), "readout.bias": (pairs,)}
    if not settings.tie_output:
        shapes["output.weight"] = (settings.readout, settings.target_vocabulary)
    shapes["output.bias"] = (settings.target_vocabulary,)
    return shapes


def target_embedding(settings: Settings, parameters: Parameters) -> Tensor:
    """The table of the target words, [V, m]; a shared one serves both sides."""
    return parameters["source_embedding" if settings.share_embeddings else "target_embedding"]


# ---- The gated recurrent unit (A.1.1) ----


def normalized(products: Tensor, parameters: Parameters, gain: str) -> Tensor:
    """Products with the matrices of all three gates, [..., 3n], normalised if there is such a gain.

    Those of both gates are one vector, those of the candidate another.
    """
    if gain not in parameters:
        return products
    n = products.shape[-1] // 3
    parts = zip(products.split([2 * n, n], dim=-1), parameters[gain].split([2 * n, n]), strict=True)
    return torch.cat([layer_norm(part, part.shape[-1:], weight, eps=1e-5) for part, weight in parts], dim=-1)


def projected(inputs: Tensor, parameters: Parameters, name: str) -> Tensor:
    """W x + b for both gates and the candidate, [..., 3n], W x normalised if the network does so."""
    product = normalized(inputs @ parameters[f"{name}.input_weight"], parameters, f"{name}.input_gain")
    return product + parameters[f"{name}.input_bias"]


def gated_unit(inputs: Tensor, state: Tensor, parameters: Parameters, name: str, reset: str) -> Tensor:
    """One step: h' = (1 - z)∘h + z∘h~.

    `inputs` is W x + b for both gates and the candidate, [B, 3n]; `state` is h, [B, n].
    """
    reset_input, update_input, candidate_input = inputs.chunk(3, dim=-1)
    # The candidate's part is of no use where the reset gate acts before its product, and does no harm: it is normalised apart.
    product = normalized(state @ parameters[f"{name}.recurrent_weight"], parameters, f"{name}.recurrent_gain")
    reset_product, update_product, candidate_product = product.chunk(3, dim=-1)
    r = torch.sigmoid(reset_input + reset_product)
    z = torch.sigmoid(update_input + update_product)
    if reset == "before":
        product = (r * state) @ parameters[f"{name}.recurrent_weight"]
        _, _, recurrent = normalized(product, parameters, f"{name}.recurrent_gain").chunk(3, dim=-1)
    else:
        recurrent = r * (candidate_product + parameters[f"{name}.recurrent_bias"])
    candidate = torch.tanh(candidate_input + recurrent)
    return (1 - z) * state + z * candidate


# ---- Encoder (3.2) ----


def read(inputs: Tensor, mask: Tensor, parameters: Parameters, name: str, reset: str, reverse: bool) -> Tensor:
    """The states of one direction of one layer, [S, B, n], each at the position that it has just read.

    It starts from zero. At padding the state is carried through unchanged: read backwards, a sentence starts at its
    last real token from the zero state; read forwards, it stays at the state of its last real token.
    """
    gates = projected(inputs, parameters, name)
    n = gates.shape[-1] // 3
    state = inputs.new_zeros(inputs.shape[1], n)
    states: dict[int, Tensor] = {}
    positions = range(len(inputs))
    for j in reversed(positions) if reverse else positions:
        new = gated_unit(gates[j], state, parameters, name, reset)
        state = torch.where(mask[j][:, None], new, state)
        states[j] = state
    return torch.stack([states[j] for j in positions])


def annotate(settings: Settings, parameters: Parameters, batch: Batch) -> Tensor:
    """Annotations h_j = [h→_j ; h←_j] of the top layer, [S, B, 2n]; each layer reads the annotations below it."""
    layer_input = parameters["source_embedding"][batch.source]
    mask = batch.source_mask()
    for layer in range(settings.encoder_layers):
        halves = [
            read(layer_input, mask, parameters, f"encoder.{layer}.{direction}", settings.reset, direction == "backward")
            for direction in ("forward", "backward")
        ]
        layer_input = torch.cat(halves, dim=-1)
    return layer_input


# ---- Decoder (3.1, A.2.2) ----


def first_states(settings: Settings, parameters: Parameters, annotations: Tensor) -> Tensor:
    """s_0 = tanh(W_s h←_1 + b_s) of every decoder layer, [layers, B, n]."""
    backward = annotations[0, :, settings.encoder_hidden :]
    return torch.stack(
        [
            torch.tanh(backward @ parameters[f"bridge.{layer}.weight"] + parameters[f"bridge.{layer}.bias"])
            for layer in range(settings.decoder_layers)
        ]
    )


def attend(parameters: Parameters, query: Tensor, annotations: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Context c_i, [B, 2n], and alignment α_i, [B, S], for a state `query` of the first decoder layer: the previous one.

    e_ij = v_aᵀ tanh(W_a s_{i-1} + U_a h_j);  α_i = softmax of e_i over real tokens;  c_i = Σ_j α_ij h_j.
    """
    keys = annotations @ parameters["attention.key_weight"]  # [S, B, a]
    hidden = torch.tanh(query @ parameters["attention.query_weight"] + keys)
    energies = hidden @ parameters["attention.energy_weight"]  # [S, B]
    alignment = energies.masked_fill(~mask, -torch.inf).softmax(dim=0)
    context = (alignment[:, :, None] * annotations).sum(dim=0)
    return context, alignment.T


def read_out(settings: Settings, parameters: Parameters, state: Tensor, embedded: Tensor, context: Tensor) -> Tensor:
    """Logits of y_i, [B, V], from s_i, E y_{i-1} and c_i.

    t~_i = U_o s_i + V_o E y_{i-1} + C_o c_i + b;  t_i = max over the pairs (t~_1, t~_2), (t~_3, t~_4), ...
    """
    pairs = (
        state @ parameters["readout.state_weight"]
        + embedded @ parameters["readout.embedding_weight"]
        + context @ parameters["readout.context_weight"]
        + parameters["readout.bias"]
    )
    readout = pairs.unflatten(-1, (settings.readout, 2)).amax(dim=-1)
    weight = target_embedding(settings, parameters).T if settings.tie_output else parameters["output.weight"]
    return readout @ weight + parameters["output.bias"]


def run(settings: Settings, parameters: Parameters, batch: Batch) -> Outputs:
    """Reads the sources and predicts every target word from the true words before it."""
    annotations = annotate(settings, parameters, batch)
    initial_states = first_states(settings, parameters, annotations)
    mask = batch.source_mask()
    begin = torch.full_like(batch.target[:1], BEGIN)
    previous_words = torch.cat([begin, batch.target[:-1]])  # y_0 = BEGIN, y_1, ...
    previous_embedded = target_embedding(settings, parameters)[previous_words]  # [T, B, m]

    states = list(initial_states)  # one of each layer, the lowest first
    top_states, alignments, logits = [], [], []
    for embedded in previous_embedded:
        inputs, unit = projected(embedded, parameters, "decoder.0"), "decoder.0"
        if settings.decoder == "conditional":
            states[0] = gated_unit(inputs, states[0], parameters, unit, settings.reset)
        if settings.attention == "none":
            context = annotations[-1, :, : settings.encoder_hidden]
        else:
            context, alignment = attend(parameters, states[0], annotations, mask)
            alignments.append(alignment)
        if settings.decoder == "conditional":
            inputs, unit = projected(context, parameters, "decoder.0.second"), "decoder.0.second"
        else:
            taken = context @ parameters["decoder.0.context_weight"]
            inputs = inputs + normalized(taken, parameters, "decoder.0.context_gain")
        states[0] = gated_unit(inputs, states[0], parameters, unit, settings.reset)
        for layer in range(1, settings.decoder_layers):
            inputs = projected(states[layer - 1], parameters, f"decoder.{layer}")
            states[layer] = gated_unit(inputs, states[layer], parameters, f"decoder.{layer}", settings.reset)
        top_states.append(states[-1])
        logits.append(read_out(settings, parameters, states[-1], embedded, context))

    return Outputs(
        annotations=annotations,
        initial_states=initial_states,
        states=torch.stack(top_states),
        alignment=torch.stack(alignments) if alignments else None,
        logits=torch.stack(logits),
    )


# ---- Loss ----


def negative_log_likelihood(logits: Tensor, batch: Batch) -> Tensor:
    """-log p(y | x) of each sentence in nats, [B]: a sum over its real tokens."""
    of_target = logits.log_softmax(dim=-1).gather(-1, batch.target[:, :, None]).squeeze(-1)
    return -(of_target * batch.target_mask()).sum(dim=0)


def smoothed_loss(logits: Tensor, batch: Batch, smoothing: float) -> Tensor:
    """Mean cross-entropy in nats of a real target token, a scalar.

    The aimed-at distribution gives 1 - ε to the true word and ε/V to each of the V words, the true one included.
    """
    log_probs = logits.log_softmax(dim=-1)
    of_target = log_probs.gather(-1, batch.target[:, :, None]).squeeze(-1)
    cross_entropy = -((1 - smoothing) * of_target + smoothing * log_probs.mean(dim=-1))
    mask = batch.target_mask()
    return (cross_entropy * mask).sum() / mask.sum()


def twins_divergence(logits: Tensor, batch: Batch) -> Tensor:
    """½ KL(p ‖ q) + ½ KL(q ‖ p) in nats, a scalar; p and q are what neighbouring columns 0 and 1, 2 and 3, ... predict.

    The sum over pairs of real target tokens is divided by the number of tokens.
    """
    log_p, log_q = logits.log_softmax(dim=-1).unflatten(1, (-1, 2)).unbind(dim=2)
    there, back = (log_p.exp() * (log_p - log_q)).sum(dim=-1), (log_q.exp() * (log_q - log_p)).sum(dim=-1)
    mask = batch.target_mask()
    return ((there + back) / 2 * mask[:, ::2]).sum() / mask.sum()
