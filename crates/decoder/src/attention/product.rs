//! Luong et al. (2015), dot: e_ij = sᵀ h_j; Vaswani et al. (2017), scaled: e_ij = sᵀ h_j / √size.

use burn::module::Module;
use burn::prelude::*;

use super::{Memory, Score, dot};

/// Dot products: nothing to learn, and states as large as annotations.
#[derive(Module, Debug)]
pub struct Product {
    /// Whether they are divided by the root of their size, so that their spread does not grow with it.
    pub scaled: bool,
}

impl Score for Product {
    fn energies(&self, query: Tensor<2>, memory: &Memory) -> Tensor<2> {
        let [_, size] = query.dims();
        let query = if self.scaled { query / (size as f64).sqrt() } else { query };
        dot(query, memory.keys.clone())
    }
}
