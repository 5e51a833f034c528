//! The recurrent layers of the decoder.

use burn::module::{Module, Param};
use burn::prelude::*;
use rnnsearch_config::{Decoder, ModelConfig, Reset};
use rnnsearch_encoder::init::Init;
use rnnsearch_encoder::{Gru, Recurrence};
use rnnsearch_kernels::{Direction, Padding, SecondUnit, Teacher, decoder_sequence, gru_sequence, plain};

use crate::attention::{Attended, Attention, Draw, Memory, Past};

/// The layer that sees the source.
///
/// ```text
/// gru:          c_i by s_{i-1}      s_i = GRU(s_{i-1}; [E y_{i-1} ; c_i])
/// conditional:  s'_i = GRU_1(s_{i-1}; E y_{i-1})      c_i by s'_i      s_i = GRU_2(s'_i; c_i)
/// ```
///
/// The matrix of the joined input is kept in its parts: the one of E y_{i-1} is [`Gru::input_weight`]. With input feeding
/// the readout t_{i-1} is a further part of what stands beside E y_{i-1}; t_0 = 0. With layer normalisation each part's product is
/// normalised by itself.
#[derive(Module, Debug)]
pub struct AttendingLayer {
    /// The unit, or the first one, with the input matrices of E y_{i-1}.
    pub gru: Gru,
    /// [C_r | C_z | C], `[2n, 3n]`; none where the second unit takes the context.
    pub context_weight: Option<Param<Tensor<2>>>,
    /// Of layer normalisation of the product with it, `[3n]`.
    pub context_gain: Option<Param<Tensor<1>>>,
    /// The matrices of t_{i-1}, `[l, 3n]`; only with input feeding.
    pub feeding_weight: Option<Param<Tensor<2>>>,
    /// Of layer normalisation of the product with it, `[3n]`.
    pub feeding_gain: Option<Param<Tensor<1>>>,
    /// The second unit of a conditional layer, with the input matrices of c_i.
    pub second: Option<Gru>,
}

/// What the decoder sees of a batch of sources.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one a batch")]
pub enum Seen {
    /// RNNsearch: annotations to attend to.
    Memory(Memory),
    /// RNNencdec: one vector a source, `[batch, n]`.
    Fixed(Tensor<2>),
}

/// A source, and the way to look at it.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// What there is to see.
    pub seen: &'a Seen,
    /// None where one vector is seen.
    pub attention: Option<&'a Attention>,
    /// Where the reset gate acts.
    pub reset: Reset,
}

/// What goes into a step.
#[derive(Clone, Debug)]
pub struct StepInput<'a> {
    /// W E y_{i-1} + b for the three gates, `[rows, 3n]`.
    pub projected: Tensor<2>,
    /// t_{i-1}, `[rows, l]`; only with input feeding.
    pub fed: Option<Tensor<2>>,
    /// s_{i-1}, `[rows, n]`.
    pub state: Tensor<2>,
    /// Dropout of the states in the recurrent products, `[rows, n]`.
    pub dropout: Option<Tensor<2>>,
    /// What attention knows of the steps before.
    pub past: &'a Past,
    /// What is drawn for it.
    pub draw: Option<&'a Draw>,
}

/// What comes out of a step, or, with another dimension in front, of all steps.
#[derive(Clone, Debug)]
pub struct Decoded<const D: usize> {
    /// [s_i ; c_i], `[rows, n + 2n]`; what it is at padding means nothing.
    pub joined: Tensor<D>,
    /// α_i, `[rows, src_len]`; none without attention.
    pub alignment: Option<Tensor<D>>,
    /// 1 at positions that were picked, `[rows, src_len]`: see [`Attended`].
    pub picked: Option<Tensor<D>>,
}

impl Seen {
    /// Source `index[i]` becomes source `i`.
    pub fn select(&self, index: &Tensor<1, Int>) -> Self {
        match self {
            Self::Memory(memory) => Self::Memory(memory.select(index)),
            Self::Fixed(context) => Self::Fixed(context.clone().select(0, index.clone())),
        }
    }

    /// With `bias`, `[batch, src_len]`, added to the energies; nothing changes without attention.
    pub fn biased(&self, bias: Tensor<2>) -> Self {
        match self {
            Self::Memory(memory) => Self::Memory(Memory { bias: memory.bias.clone() + bias, ..memory.clone() }),
            Self::Fixed(context) => Self::Fixed(context.clone()),
        }
    }

    /// The number of source positions that are attended to.
    pub fn src_len(&self) -> usize {
        match self {
            Self::Memory(memory) => memory.bias.dims()[1],
            Self::Fixed(_) => 0,
        }
    }
}

impl View<'_> {
    /// Looks with a query, `[rows, n]`: c_i, and with attention all that it says.
    fn look(&self, query: Tensor<2>, past: &Past, draw: Option<&Draw>) -> (Tensor<2>, Option<Attended>) {
        match (self.seen, self.attention) {
            (Seen::Memory(memory), Some(attention)) => {
                let attended = attention.attend(query, memory, past, draw);
                (attended.context.clone(), Some(attended))
            }
            (Seen::Fixed(context), _) => (context.clone(), None),
            (Seen::Memory(_), None) => unreachable!("a model without attention prepares no memory"),
        }
    }
}

impl<const D: usize> Decoded<D> {
    /// Steps one after the other, time-major; `E` is `D + 1`.
    pub fn stack<const E: usize>(steps: Vec<Self>) -> Decoded<E> {
        let (mut joined, mut alignment, mut picked) = (Vec::new(), Vec::new(), Vec::new());
        for step in steps {
            joined.push(step.joined);
            alignment.extend(step.alignment);
            picked.extend(step.picked);
        }
        let stack = |all: Vec<Tensor<D>>| (!all.is_empty()).then(|| Tensor::stack(all, 0));
        Decoded { joined: Tensor::stack(joined, 0), alignment: stack(alignment), picked: stack(picked) }
    }
}

impl AttendingLayer {
    /// A layer that takes contexts of size `context`, with weights drawn by `init`.
    pub fn new(config: &ModelConfig, context: usize, init: &mut Init) -> Self {
        let n = config.decoder_hidden;
        let conditional = config.decoder == Decoder::Conditional;
        Self {
            gru: Gru::new(config.embedding, n, config, init),
            context_weight: (!conditional).then(|| init.gates(context, n)),
            context_gain: init.gain(n, config).filter(|_| !conditional),
            feeding_weight: config.input_feeding.then(|| init.gates(config.readout, n)),
            feeding_gain: init.gain(n, config).filter(|_| config.input_feeding),
            second: conditional.then(|| Gru::new(context, n, config, init)),
        }
    }

    /// Runs over known previous words: `embedded` is E y_{i-1}, `[tgt_len, batch, m]`, and `initial` is s_0. `draws` has an entry
    /// a step, or none; `alignments` says whether these are needed. A layer with input feeding cannot run ahead of the readout: see
    /// [`step`](Self::step).
    pub fn forward(
        &self,
        embedded: Tensor<3>,
        initial: Tensor<2>,
        dropout: Option<Tensor<3>>,
        (padding, alignments): (&Padding, bool),
        view: View,
        draws: &[Draw],
    ) -> Decoded<3> {
        let [tgt_len, batch, _] = embedded.dims();
        let recurrent = self.gru.recurrent(view.reset);
        let projected = self.gru.project(embedded);
        match (view.seen, view.attention) {
            (Seen::Memory(memory), Some(Attention::Additive(additive))) => {
                let teacher = Teacher { projected, initial, dropout, padding: padding.clone(), alignments };
                let (annotations, keys) = (memory.values.clone(), memory.keys.clone());
                let memory = rnnsearch_kernels::Memory { annotations, keys, bias: memory.bias.clone() };
                let weights = additive.weights(self.context_weight(), self.context_gain());
                let second = self.second_unit(view.reset);
                let joined = decoder_sequence(teacher, &memory, &weights, &recurrent, second.as_ref());
                if !alignments {
                    return Decoded { joined, alignment: None, picked: None };
                }
                let [_, _, width] = joined.dims();
                let end = width - view.seen.src_len();
                let columns = |from: usize, to: usize| joined.clone().slice([0..tgt_len, 0..batch, from..to]);
                Decoded { joined: columns(0, end), alignment: Some(columns(end, width)), picked: None }
            }
            (Seen::Fixed(context), _) if self.second.is_none() => {
                let taken = self.take(context.clone()).unsqueeze_dim::<3>(0);
                let (projected, padding) = (projected + taken, Some(padding));
                let states = gru_sequence(projected, padding, initial, &recurrent, dropout, Direction::Forward);
                let [_, size] = context.dims();
                let contexts = context.clone().unsqueeze_dim::<3>(0).expand([tgt_len, batch, size]);
                Decoded { joined: Tensor::cat(vec![states, contexts], 2), alignment: None, picked: None }
            }
            _ => self.step_by_step(projected, initial, dropout, view, draws),
        }
    }

    /// How the unit that takes the context does so, `[2n, 3n]`.
    fn context_weight(&self) -> Tensor<2> {
        let of_second = self.second.as_ref().map(|second| &second.input_weight);
        self.context_weight.as_ref().or(of_second).expect("one unit or the other takes the context").val()
    }

    /// Of layer normalisation of the product with that.
    fn context_gain(&self) -> Option<Tensor<1>> {
        let gain = self.second.as_ref().map_or(&self.context_gain, |second| &second.input_gain);
        gain.as_ref().map(Param::val)
    }

    /// What contexts, `[rows, 2n]`, give to the gates of the unit that takes them, `[rows, 3n]`.
    fn take(&self, context: Tensor<2>) -> Tensor<2> {
        normalized(context.matmul(self.context_weight()), self.context_gain())
    }

    /// What the second unit of a conditional layer does beside that.
    fn second_unit(&self, reset: Reset) -> Option<SecondUnit> {
        let unit =
            |second: &Gru| SecondUnit { input_bias: second.input_bias.val(), recurrent: second.recurrent(reset) };
        self.second.as_ref().map(unit)
    }

    /// The general way: `projected` is W E y_{i-1} + b, `[tgt_len, batch, 3n]`.
    fn step_by_step(
        &self,
        projected: Tensor<3>,
        initial: Tensor<2>,
        dropout: Option<Tensor<3>>,
        view: View,
        draws: &[Draw],
    ) -> Decoded<3> {
        let ([tgt_len, _, _], [batch, n]) = (projected.dims(), initial.dims());
        let (mut state, mut past) = (initial, Past::default());
        let mut steps: Vec<Decoded<2>> = Vec::with_capacity(tgt_len);
        for step in 0..tgt_len {
            let input = StepInput {
                projected: plain::at(&projected, step),
                fed: None,
                state,
                dropout: plain::mask_at(dropout.as_ref(), step),
                past: &past,
                draw: draws.get(step),
            };
            let decoded = self.step(input, view);
            state = decoded.joined.clone().slice([0..batch, 0..n]);
            past = past.after(decoded.alignment.clone());
            steps.push(decoded);
        }
        Decoded::stack(steps)
    }

    /// One step.
    pub fn step(&self, input: StepInput, view: View) -> Decoded<2> {
        let StepInput { mut projected, fed, state, dropout, past, draw } = input;
        if let (Some(fed), Some(weight)) = (fed, &self.feeding_weight) {
            projected = projected + normalized(fed.matmul(weight.val()), self.feeding_gain.as_ref().map(Param::val));
        }
        let first = self.gru.recurrent(view.reset);
        let (state, unit, beside) = match self.second_unit(view.reset) {
            None => (state, first, projected),
            Some(second) => {
                let between = plain::gru_step(projected, state, &first, dropout.clone());
                (between, second.recurrent, second.input_bias.unsqueeze())
            }
        };
        let (context, attended) = view.look(state.clone(), past, draw);
        let taken = self.take(context.clone()) + beside;
        let state = plain::gru_step(taken, state, &unit, dropout);
        let (alignment, picked) = attended.map_or((None, None), |looked| (Some(looked.alignment), looked.picked));
        Decoded { joined: Tensor::cat(vec![state, context], 1), alignment, picked }
    }
}

/// A layer above the first: it reads the states of the layer below.
pub fn upper_sequence(
    gru: &Gru,
    below: Tensor<3>,
    initial: Tensor<2>,
    dropout: Option<Tensor<3>>,
    padding: &Padding,
    reset: Reset,
) -> Tensor<3> {
    let recurrence = Recurrence { padding: Some(padding), reset, direction: Direction::Forward };
    gru.forward(below, initial, dropout, &recurrence)
}

/// One step of a layer above the first.
pub fn upper_step(
    gru: &Gru,
    below: Tensor<2>,
    state: Tensor<2>,
    dropout: Option<Tensor<2>>,
    reset: Reset,
) -> Tensor<2> {
    plain::gru_step(project_step(gru, below), state, &gru.recurrent(reset), dropout)
}

/// W x + b, or LN(W x) + b, of one step, `[rows, input]` to `[rows, 3n]`.
pub fn project_step(gru: &Gru, input: Tensor<2>) -> Tensor<2> {
    let product = normalized(input.matmul(gru.input_weight.val()), gru.input_gain.as_ref().map(Param::val));
    product + gru.input_bias.val().unsqueeze()
}

/// Products with the matrices of three gates, normalised where there is a gain.
fn normalized(products: Tensor<2>, gain: Option<Tensor<1>>) -> Tensor<2> {
    match gain {
        Some(gain) => plain::normalize(products, gain),
        None => products,
    }
}
