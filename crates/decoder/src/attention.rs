//! Attention: which source positions the next target word needs.
//!
//! All kinds have a query, which is a state of the decoder, and for every source position a key, which the query is compared
//! with, and a value. They give a weight to every position, the alignment α_i, and the context c_i is the values' sum by these
//! weights:
//!
//! ```text
//! e_ij = score(query_i, key_j)     energy
//! α_ij = softmax_j(e_ij)           alignment
//! c_i  = Σ_j α_ij value_j          context
//! ```
//!
//! Most kinds differ in the score alone, and are a [`Score`]; the others are a [`Kind`]. What is fixed for a sentence is computed
//! once, by [`Attention::prepare`], and kept by the caller in a [`Memory`]. docs/attention.md has all formulas side by side.

mod additive;
mod concat;
mod cosine;
mod coverage;
mod general;
mod hard;
mod heads;
mod hops;
mod local;
mod location;
mod monotonic;
mod normed;
mod product;
mod sparsemax;
#[cfg(test)]
mod tests;

use burn::module::Module;
use burn::prelude::*;
use burn::tensor::TensorData;
use burn::tensor::activation::softmax;
use rnnsearch_config::{Attention as AttentionKind, ModelConfig};
use rnnsearch_encoder::init::Init;
use rnnsearch_kernels::plain::weighted_sum;
use rnnsearch_kernels::{Dropout, Padding, linear};

pub use additive::Additive;
use concat::Concat;
use cosine::Cosine;
use coverage::Coverage;
use general::General;
pub use hard::Hard;
use heads::Heads;
use hops::Hops;
use local::{LocalM, LocalP};
use location::Location;
use monotonic::Monotonic;
use normed::Normed;
use product::Product;
use sparsemax::Sparsemax;

/// The weights of attention, of whatever kind.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one a model")]
pub enum Attention {
    /// Bahdanau et al. (2015).
    Additive(Additive),
    /// Raffel et al. (2017), as energies of a softmax.
    Normed(Normed),
    /// Luong et al. (2015), dot; Vaswani et al. (2017), scaled.
    Product(Product),
    /// Luong et al. (2015).
    General(General),
    /// Luong et al. (2015).
    Concat(Concat),
    /// Graves et al. (2014).
    Cosine(Cosine),
    /// Luong et al. (2015).
    Location(Location),
    /// Luong et al. (2015).
    LocalM(LocalM),
    /// Luong et al. (2015).
    LocalP(LocalP),
    /// Xu et al. (2015).
    Hard(Hard),
    /// Raffel et al. (2017).
    Monotonic(Monotonic),
    /// Vaswani et al. (2017).
    Heads(Heads),
    /// Sukhbaatar et al. (2015).
    Hops(Hops),
    /// Martins & Astudillo (2016).
    Sparsemax(Sparsemax),
    /// Tu et al. (2016).
    Coverage(Coverage),
}

/// What attention looks at: all that is fixed for a batch of sources.
#[derive(Clone, Debug)]
pub struct Memory {
    /// What queries are compared with, `[batch, src_len, size]`.
    pub keys: Tensor<3>,
    /// What is summed, `[batch, src_len, features]`: mostly the annotations h_j.
    pub values: Tensor<3>,
    /// Φ_j, how many words translate each, `[batch, src_len]`; only with coverage.
    pub fertilities: Option<Tensor<2>>,
    /// What is added to energies: 0 at real positions, -1e9 at padding, `[batch, src_len]`.
    pub bias: Tensor<2>,
    /// 1 at real positions, 0 at padding, `[batch, src_len]`.
    pub real: Tensor<2>,
}

/// What a step knows of those before it.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// How many there were.
    pub steps: usize,
    /// α_{i-1}, `[batch, src_len]`; none before the first step.
    pub alignment: Option<Tensor<2>>,
    /// Σ_{k<i} α_k, `[batch, src_len]`; none before the first step.
    pub looked: Option<Tensor<2>>,
}

/// What a training draws for a step.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one a step")]
pub enum Draw {
    /// For each sentence a number from [0, 1), which picks a position; none where the expectation is taken.
    Pick(Vec<Option<f32>>),
    /// What is added to energies, `[batch, src_len]`.
    Noise(Tensor<2>),
}

/// What one look gives.
#[derive(Clone, Debug)]
pub struct Attended {
    /// c_i, `[batch, features]`.
    pub context: Tensor<2>,
    /// α_i, `[batch, src_len]`, 0 at padding. Rows sum to 1, but those of `local-p` and `monotonic` may sum to less.
    pub alignment: Tensor<2>,
    /// 1 at the position that was picked for each sentence where one was, `[batch, src_len]`; none if α_i itself was used.
    pub picked: Option<Tensor<2>>,
}

/// A kind of attention.
trait Kind {
    /// Keys and values, from annotations `[batch, src_len, 2n]`.
    fn prepare(&self, annotations: Tensor<3>) -> (Tensor<3>, Tensor<3>);

    /// How many words translate each position, `[batch, src_len]`, where the kind asks.
    fn fertilities(&self, _annotations: Tensor<3>) -> Option<Tensor<2>> {
        None
    }

    /// Looks at the source with a query, `[batch, n]`.
    fn attend(&self, query: Tensor<2>, memory: &Memory, past: &Past, draw: Option<&Draw>) -> Attended;
}

/// A score whose softmax is the alignment, and whose values are the annotations.
trait Score {
    /// What queries are compared with, from annotations `[batch, src_len, 2n]`: mostly these.
    fn keys(&self, annotations: Tensor<3>) -> Tensor<3> {
        annotations
    }

    /// e_ij of queries `[batch, n]`, without the bias of `memory`: `[batch, src_len]`.
    fn energies(&self, query: Tensor<2>, memory: &Memory) -> Tensor<2>;
}

impl<S: Score> Kind for S {
    fn prepare(&self, annotations: Tensor<3>) -> (Tensor<3>, Tensor<3>) {
        (self.keys(annotations.clone()), annotations)
    }

    fn attend(&self, query: Tensor<2>, memory: &Memory, _past: &Past, _draw: Option<&Draw>) -> Attended {
        let energies = self.energies(query, memory);
        memory.read(softmax(energies + memory.bias.clone(), 1))
    }
}

impl Attention {
    /// Attention of the kind of `config`, with weights drawn by `init`; none where the kind is `none`.
    pub fn new(config: &ModelConfig, init: &mut Init) -> Option<Self> {
        Some(match config.attention {
            AttentionKind::Additive => Self::Additive(Additive::new(config, init)),
            AttentionKind::NormedAdditive => Self::Normed(Normed::new(config, init)),
            AttentionKind::Dot => Self::Product(Product { scaled: false }),
            AttentionKind::ScaledDot => Self::Product(Product { scaled: true }),
            AttentionKind::General => Self::General(General::new(config, init)),
            AttentionKind::Concat => Self::Concat(Concat::new(config, init)),
            AttentionKind::Cosine => Self::Cosine(Cosine::new(config, init)),
            AttentionKind::Location => Self::Location(Location::new(config, init)),
            AttentionKind::LocalM => Self::LocalM(LocalM::new(config, init)),
            AttentionKind::LocalP => Self::LocalP(LocalP::new(config, init)),
            AttentionKind::Hard => Self::Hard(Hard::new(config, init)),
            AttentionKind::Monotonic => Self::Monotonic(Monotonic::new(config, init)),
            AttentionKind::MultiHead => Self::Heads(Heads::new(config, init)),
            AttentionKind::Hops => Self::Hops(Hops::new(config, init)),
            AttentionKind::Sparsemax => Self::Sparsemax(Sparsemax::new(config, init)),
            AttentionKind::Coverage => Self::Coverage(Coverage::new(config, init)),
            AttentionKind::None => return None,
        })
    }

    fn kind(&self) -> &dyn Kind {
        match self {
            Self::Additive(kind) => kind,
            Self::Normed(kind) => kind,
            Self::Product(kind) => kind,
            Self::General(kind) => kind,
            Self::Concat(kind) => kind,
            Self::Cosine(kind) => kind,
            Self::Location(kind) => kind,
            Self::LocalM(kind) => kind,
            Self::LocalP(kind) => kind,
            Self::Hard(kind) => kind,
            Self::Monotonic(kind) => kind,
            Self::Heads(kind) => kind,
            Self::Hops(kind) => kind,
            Self::Sparsemax(kind) => kind,
            Self::Coverage(kind) => kind,
        }
    }

    /// Computes all that is fixed for a batch of sources, from annotations `[src_len, batch, 2n]`.
    pub fn prepare(&self, annotations: Tensor<3>, padding: &Padding) -> Memory {
        let annotations = annotations.swap_dims(0, 1);
        let fertilities = self.kind().fertilities(annotations.clone());
        let (keys, values) = self.kind().prepare(annotations);
        Memory { keys, values, fertilities, bias: padding.energy_bias(), real: padding.real().swap_dims(0, 1) }
    }

    /// Looks at the source with a query, `[batch, n]`.
    pub fn attend(&self, query: Tensor<2>, memory: &Memory, past: &Past, draw: Option<&Draw>) -> Attended {
        self.kind().attend(query, memory, past, draw)
    }

    /// What a training draws for every step of a batch, `[tgt_len, batch, src_len]`; empty for kinds that leave nothing to chance.
    pub fn draws(&self, size: [usize; 3], random: &mut Dropout, device: &Device) -> Vec<Draw> {
        match self {
            Self::Hard(_) => hard::draws(size, random),
            Self::Monotonic(_) => monotonic::draws(size, random, device),
            _ => Vec::new(),
        }
    }

    /// The hard kind, which learns by trying.
    pub fn hard(&self) -> Option<&Hard> {
        if let Self::Hard(hard) = self { Some(hard) } else { None }
    }
}

impl Memory {
    /// The context of an alignment, `[batch, src_len]`.
    fn read(&self, alignment: Tensor<2>) -> Attended {
        Attended { context: weighted_sum(alignment.clone(), self.values.clone()), alignment, picked: None }
    }

    /// The numbers of all positions, `[1, src_len]`.
    fn positions(&self) -> Tensor<2> {
        let [_, src_len] = self.real.dims();
        let numbers: Vec<f32> = (0..src_len).map(|position| position as f32).collect();
        Tensor::from_data(TensorData::new(numbers, [1, src_len]), &self.real.device())
    }

    /// How many real positions each source has, `[batch, 1]`.
    fn lengths(&self) -> Tensor<2> {
        self.real.clone().sum_dim(1)
    }

    /// Source `index[i]` becomes source `i`.
    pub fn select(&self, index: &Tensor<1, Int>) -> Self {
        Self {
            keys: self.keys.clone().select(0, index.clone()),
            values: self.values.clone().select(0, index.clone()),
            fertilities: self.fertilities.as_ref().map(|all| all.clone().select(0, index.clone())),
            bias: self.bias.clone().select(0, index.clone()),
            real: self.real.clone().select(0, index.clone()),
        }
    }
}

impl Past {
    /// What there is after a step.
    pub fn after(&self, alignment: Option<Tensor<2>>) -> Self {
        let looked = match (&self.looked, &alignment) {
            (Some(looked), Some(alignment)) => Some(looked.clone() + alignment.clone()),
            _ => alignment.clone(),
        };
        Self { steps: self.steps + 1, alignment, looked }
    }

    /// Row `index[i]` becomes row `i`.
    pub fn select(&self, index: &Tensor<1, Int>) -> Self {
        let select = |tensor: &Tensor<2>| tensor.clone().select(0, index.clone());
        Self {
            steps: self.steps,
            alignment: self.alignment.as_ref().map(select),
            looked: self.looked.as_ref().map(select),
        }
    }
}

/// Annotations `[batch, src_len, features]` times a matrix `[features, size]`.
fn project(annotations: Tensor<3>, weight: Tensor<2>) -> Tensor<3> {
    let [batch, src_len, features] = annotations.dims();
    let [_, size] = weight.dims();
    linear(annotations.reshape([batch * src_len, features]), weight, None).reshape([batch, src_len, size])
}

/// query · key for all keys of each query: `[batch, size]` and `[batch, src_len, size]` to `[batch, src_len]`.
fn dot(query: Tensor<2>, keys: Tensor<3>) -> Tensor<2> {
    let [batch, src_len, _] = keys.dims();
    keys.matmul(query.unsqueeze_dim::<3>(2)).reshape([batch, src_len])
}
