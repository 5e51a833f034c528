//! Additive attention for one sentence and one step, and its backward step.

use crate::rows::row;
use crate::vector;

/// An energy's bias at or below this is padding.
const PADDING: f32 = -1e8;

/// What the decoder attends to: all that is fixed for a batch of sources.
#[derive(Clone, Copy, Debug)]
pub struct Memory<'a> {
    /// The number of source positions, padding included.
    pub src_len: usize,
    /// The size of an annotation.
    pub annotation: usize,
    /// n', the size of a key.
    pub attention: usize,
    /// Annotations h_j, `[batch, src_len, annotation]`.
    pub annotations: &'a [f32],
    /// U_a h_j, `[batch, src_len, n']`.
    pub keys: &'a [f32],
    /// Added to the energies, `[batch, src_len]`; -1e8 or less at padding, which gets no weight and is not computed.
    pub bias: &'a [f32],
}

impl<'a> Memory<'a> {
    fn keys_of(&self, sentence: usize) -> &'a [f32] {
        row(self.keys, sentence, self.src_len * self.attention)
    }

    fn annotations_of(&self, sentence: usize) -> &'a [f32] {
        row(self.annotations, sentence, self.src_len * self.annotation)
    }

    /// Writes the alignment `[src_len]` and the context `[annotation]` of a step.
    pub(crate) fn attend(&self, sentence: usize, query: &[f32], v: &[f32], alignment: &mut [f32], context: &mut [f32]) {
        let biases = row(self.bias, sentence, self.src_len);
        // Padding at the end is left out of the sum, not only given weight 0: the bits do not depend on its length.
        let real = biases.iter().rposition(|bias| *bias > PADDING).map_or(self.src_len, |last| last + 1);
        let (energies, padding) = alignment.split_at_mut(real);
        let keys = self.keys_of(sentence).chunks_exact(self.attention);
        for ((energy, &bias), key) in energies.iter_mut().zip(biases).zip(keys) {
            *energy = if bias <= PADDING { f32::NEG_INFINITY } else { vector::energy(key, query, v) + bias };
        }
        vector::softmax(energies);
        padding.fill(0.0);
        vector::weighted_sum(context, alignment, self.annotations_of(sentence), self.annotation);
    }

    /// From the gradients of the context and the alignment, that of the query; those of the sentence's keys and of `v` are added to.
    pub(crate) fn attend_backward(&self, sentence: usize, step: AttendBackward) {
        let AttendBackward { query, v, alignment, d_alignment, d_context, d_energies, d_query, d_keys, d_v } = step;
        let annotations = self.annotations_of(sentence).chunks_exact(self.annotation);
        for ((d, &weight), annotation) in d_energies.iter_mut().zip(alignment).zip(annotations) {
            *d = if weight == 0.0 { 0.0 } else { vector::dot(d_context, annotation) };
        }
        if let Some(d_alignment) = d_alignment {
            vector::add(d_energies, d_alignment);
        }
        let mean: f32 = d_energies.iter().zip(alignment).map(|(d, weight)| weight * d).sum();
        for (d, weight) in d_energies.iter_mut().zip(alignment) {
            *d = weight * (*d - mean);
        }
        vector::energies_backward(self.keys_of(sentence), query, v, d_energies, d_keys, d_query, d_v);
    }
}

/// One sentence's part of a backward step.
pub(crate) struct AttendBackward<'s> {
    pub query: &'s [f32],
    pub v: &'s [f32],
    pub alignment: &'s [f32],
    /// The gradient of the alignment, where the loss depends on it.
    pub d_alignment: Option<&'s [f32]>,
    pub d_context: &'s [f32],
    /// Room for `[src_len]`.
    pub d_energies: &'s mut [f32],
    pub d_query: &'s mut [f32],
    pub d_keys: &'s mut [f32],
    pub d_v: &'s mut [f32],
}
