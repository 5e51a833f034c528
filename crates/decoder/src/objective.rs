//! What is added to the loss for the sake of the alignments.
//!
//! Sums over target tokens i and source tokens j of a batch; α is 0 at padding, which adds nothing to any of them:
//!
//! ```text
//! guided              -Σ_i Σ_j a_ij ln α_ij                 Chen et al. 2016: a_i is given
//! coverage             Σ_i Σ_j min(α_ij, Σ_{k<i} α_kj)       See et al. 2017
//! doubly stochastic    Σ_j (1 - Σ_i α_ij)²                   Xu et al. 2015
//! entropy             -Σ_i Σ_j α_ij ln α_ij
//! agreement           -Σ ln Σ_i Σ_j α_ij β_ji               Cheng et al. 2016: a summand a pair; β is another model's
//!                      Σ_i Σ_j (α_ij - β_ji)²               or this
//! ```

use burn::prelude::*;
use burn::tensor::TensorData;
use rnnsearch_config::AgreementForm;

/// Keeps logarithms finite, and so small that no weight an alignment has in practice is without a gradient.
const SMALLEST: f64 = 1e-20;

/// The weights of the terms; one of weight 0 is not computed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AlignmentTerms {
    /// Of guided alignment.
    pub guided: f64,
    /// Of the coverage loss.
    pub coverage: f64,
    /// Of the doubly stochastic regulariser.
    pub doubly_stochastic: f64,
    /// Of the entropy.
    pub entropy: f64,
    /// Of the agreement with another model.
    pub agreement: f64,
    /// What that is.
    pub agreement_form: AgreementForm,
}

/// How another model, which writes the source, aligns a batch.
#[derive(Clone, Debug)]
pub(crate) struct Other {
    /// β_ji, `[tgt_len, batch, src_len]`, 0 where it tells nothing.
    weights: Tensor<3>,
    /// 1 where it tells something, `[tgt_len, batch, src_len]`.
    told: Tensor<3>,
}

impl Other {
    /// From a weight, or nothing, for each element of `[tgt_len, batch, src_len]`, row by row.
    pub(crate) fn new(weights: &[Option<f32>], size: [usize; 3], device: &Device) -> Self {
        let tensor = |number: fn(&Option<f32>) -> f32| {
            Tensor::from_data(TensorData::new(weights.iter().map(number).collect::<Vec<f32>>(), size), device)
        };
        Self { weights: tensor(|weight| weight.unwrap_or(0.0)), told: tensor(|weight| f32::from(weight.is_some())) }
    }
}

/// What the alignments of a batch are compared with.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Examples<'a> {
    /// a, `[tgt_len, batch, src_len]`.
    pub(crate) guide: Option<&'a Tensor<3>>,
    /// β.
    pub(crate) other: Option<&'a Other>,
}

/// What a training makes small.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Objective {
    /// The share of the target distribution that all words get equally.
    pub smoothing: f64,
    /// How much it counts that the predictions of twins differ: each sentence must then stand in the batch twice, side by side. 0 for
    /// batches of single sentences.
    pub consistency: f64,
    /// What is asked of the alignments.
    pub alignment: AlignmentTerms,
}

impl AlignmentTerms {
    /// Whether any of them needs the alignments of a batch that has these examples.
    pub(crate) fn any(&self, examples: Examples) -> bool {
        (examples.guide.is_some() && self.guided > 0.0)
            || (examples.other.is_some() && self.agreement > 0.0)
            || [self.coverage, self.doubly_stochastic, self.entropy].into_iter().any(|weight| weight > 0.0)
    }

    /// The weighted sum of the terms, in nats: `[1]`.
    ///
    /// `alignments` are α, 0 where the target is padding, `[tgt_len, batch, src_len]`; `real` is 1 at source tokens and 0 at padding,
    /// `[batch, src_len]`.
    pub(crate) fn loss(&self, alignments: &Tensor<3>, examples: Examples, real: &Tensor<2>) -> Tensor<1> {
        let logarithms = || alignments.clone().clamp_min(SMALLEST).log();
        let guide = examples.guide.filter(|_| self.guided > 0.0);
        let guided = guide.map(|guide| (self.guided, (guide.clone() * logarithms()).sum().neg()));
        let other = examples.other.filter(|_| self.agreement > 0.0);
        let agreement = other.map(|other| (self.agreement, disagreement(alignments, other, self.agreement_form)));
        let coverage = (self.coverage > 0.0).then(|| (self.coverage, coverage(alignments)));
        let stochastic =
            (self.doubly_stochastic > 0.0).then(|| (self.doubly_stochastic, doubly_stochastic(alignments, real)));
        let entropy = (self.entropy > 0.0).then(|| (self.entropy, (alignments.clone() * logarithms()).sum().neg()));
        let terms = [guided, coverage, stochastic, entropy, agreement].into_iter().flatten();
        let zero = Tensor::zeros([1], &alignments.device());
        terms.fold(zero, |sum, (weight, term)| sum + term.mul_scalar(weight))
    }
}

fn coverage(alignments: &Tensor<3>) -> Tensor<1> {
    let [tgt_len, batch, src_len] = alignments.dims();
    let flat = alignments.clone().reshape([tgt_len, batch * src_len]);
    // Row i of a strictly lower triangle of ones sums all rows before i.
    let before: Vec<f32> = (0..tgt_len * tgt_len).map(|at| f32::from(u8::from(at % tgt_len < at / tgt_len))).collect();
    let before: Tensor<2> = Tensor::from_data(TensorData::new(before, [tgt_len, tgt_len]), &alignments.device());
    let covered = before.matmul(flat.clone());
    flat.min_pair(covered).sum()
}

fn doubly_stochastic(alignments: &Tensor<3>, real: &Tensor<2>) -> Tensor<1> {
    let [_, batch, src_len] = alignments.dims();
    let looked_at = alignments.clone().sum_dim(0).reshape([batch, src_len]);
    let missing = (real.clone() - looked_at) * real.clone();
    (missing.clone() * missing).sum()
}

fn disagreement(alignments: &Tensor<3>, Other { weights, told }: &Other, form: AgreementForm) -> Tensor<1> {
    let of_pairs = |all: Tensor<3>| all.sum_dim(2).sum_dim(0);
    match form {
        AgreementForm::Product => {
            let shared = of_pairs(alignments.clone() * weights.clone()).clamp_min(SMALLEST).log();
            // A pair of which nothing is told cannot agree.
            let is_told = of_pairs(told.clone()).greater_elem(0.0).float();
            (shared * is_told).sum().neg()
        }
        AgreementForm::Difference => {
            let apart = (alignments.clone() - weights.clone()) * told.clone();
            (apart.clone() * apart).sum()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(set: impl FnOnce(&mut AlignmentTerms)) -> AlignmentTerms {
        let mut terms = AlignmentTerms::default();
        set(&mut terms);
        terms
    }

    /// One sentence of two target tokens and three source places, the last of them padding.
    #[test]
    fn terms_worked_by_hand() {
        let device = Device::flex();
        let alpha = Tensor::<3>::from_data([[[0.25, 0.75, 0.0]], [[0.5, 0.5, 0.0]]], &device);
        let guide = Tensor::<3>::from_data([[[0.5, 0.5, 0.0]], [[0.0, 0.0, 0.0]]], &device);
        let real = Tensor::<2>::from_data([[1.0, 1.0, 0.0]], &device);
        let guided = Examples { guide: Some(&guide), other: None };
        let value = |terms: AlignmentTerms| terms.loss(&alpha, guided, &real).into_scalar::<f32>();
        let close =
            |found: f32, expected: f64| assert!((f64::from(found) - expected).abs() < 1e-5, "{found} {expected}");
        // -(ln 1/4 + ln 3/4) / 2; the second token has no link.
        close(value(only(|t| t.guided = 1.0)), -(0.25_f64.ln() + 0.75_f64.ln()) / 2.0);
        // The first token covers nothing anew; the second min(0.5, 0.25) + min(0.5, 0.75).
        close(value(only(|t| t.coverage = 1.0)), 0.75);
        // (1 - 0.75)² + (1 - 1.25)²
        close(value(only(|t| t.doubly_stochastic = 2.0)), 2.0 * (0.0625 + 0.0625));
        let entropy = -(0.25 * 0.25_f64.ln() + 0.75 * 0.75_f64.ln()) + 2.0_f64.ln();
        close(value(only(|t| t.entropy = 0.5)), 0.5 * entropy);
        let all = AlignmentTerms { guided: 1.0, coverage: 1.0, doubly_stochastic: 1.0, entropy: 1.0, ..only(|_| ()) };
        close(value(all), -(0.25_f64.ln() + 0.75_f64.ln()) / 2.0 + 0.75 + 0.125 + entropy);
        let nothing = Examples::default();
        assert!(!AlignmentTerms::default().any(guided));
        assert!(all.any(nothing) && only(|t| t.guided = 1.0).any(guided) && !only(|t| t.guided = 1.0).any(nothing));
    }

    /// Two pairs of two target tokens and two source places; of the second pair the other model tells nothing.
    #[test]
    fn agreement_worked_by_hand() {
        let device = Device::flex();
        let alpha = Tensor::<3>::from_data([[[0.25, 0.75], [0.5, 0.5]], [[0.5, 0.5], [1.0, 0.0]]], &device);
        let told = [Some(0.5), Some(0.25), None, None, None, Some(0.75), None, None];
        let other = Other::new(&told, [2, 2, 2], &device);
        let examples = Examples { guide: None, other: Some(&other) };
        let terms = |agreement_form| AlignmentTerms { agreement: 2.0, agreement_form, ..AlignmentTerms::default() };
        let value = |form| terms(form).loss(&alpha, examples, &Tensor::ones([2, 2], &device)).into_scalar::<f32>();
        let close = |found: f32, expected: f32| assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        // ¼ · ½ + ¾ · ¼ + ½ · ¾
        close(value(AgreementForm::Product), -2.0 * 0.6875_f32.ln());
        // (¼ - ½)² + (¾ - ¼)² + (½ - ¾)²
        close(value(AgreementForm::Difference), 2.0 * 0.375);
        assert!(terms(AgreementForm::Product).any(examples) && !terms(AgreementForm::Product).any(Examples::default()));
        assert!(!AlignmentTerms::default().any(examples));
    }
}
