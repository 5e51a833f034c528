//! Words to vectors.
//!
//! A batch uses few rows of an embedding table. While training, the rows it looks up are leaves of differentiation by
//! themselves, so that no gradient of the whole table is ever made: [`Loss::gradients`] gathers them by word.

use std::collections::BTreeMap;

use burn::prelude::*;
use burn::tensor::{IndexingUpdateOp, TensorData};

use crate::names::dense_gradients;
use crate::{Gradient, RnnSearch};

/// Padded word ids `[len, batch]`, on the host and on a device.
#[derive(Clone, Debug)]
pub(crate) struct Ids {
    host: Vec<i32>,
    len: usize,
    batch: usize,
    device: Tensor<1, Int>,
}

impl Ids {
    pub fn new(ids: &[i32], batch: usize, device: &Device) -> Self {
        Self { host: ids.to_vec(), len: ids.len() / batch, batch, device: integers(ids, device) }
    }

    /// All of them, `[len, batch]`, row by row.
    pub fn ids(&self) -> &[i32] {
        &self.host
    }

    /// The number of positions.
    pub fn len(&self) -> usize {
        self.len
    }
}

/// The rows that will be looked up in tables, each named with the ids: by table, in ascending order.
pub(crate) fn rows_of<const N: usize>(lookups: [(&'static str, &Ids); N]) -> BTreeMap<&'static str, Vec<usize>> {
    let mut tables: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for (table, ids) in lookups {
        tables.entry(table).or_default().extend(&ids.host);
    }
    let rows = |ids| distinct(ids).into_iter().map(|id| id as usize).collect();
    tables.into_iter().map(|(table, ids)| (table, rows(ids))).collect()
}

/// The rows that were looked up in one table, in the order of the ids.
#[derive(Clone, Debug)]
struct LookedUp {
    table: &'static str,
    ids: Vec<i32>,
    rows: Tensor<2>,
}

/// What a pass has looked up in tables that are to learn.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lookups(Vec<LookedUp>);

impl Lookups {
    /// Rows of a table by the name of its parameter: `[len, batch, m]`.
    pub fn embed(&mut self, name: &'static str, table: Tensor<2>, ids: &Ids) -> Tensor<3> {
        let [_, m] = table.dims();
        let rows = if table.is_require_grad() {
            let rows = Tensor::from_inner(table.inner().select(0, ids.device.clone().inner())).require_grad();
            self.0.push(LookedUp { table: name, ids: ids.host.clone(), rows: rows.clone() });
            rows
        } else {
            table.select(0, ids.device.clone())
        };
        rows.reshape([ids.len, ids.batch, m])
    }
}

/// The loss of a batch.
#[derive(Clone, Debug)]
pub struct Loss {
    /// The cross-entropy in nats, summed over target tokens: `[1]`.
    pub nats: Tensor<1>,
    /// What is added for the sake of the alignments, weighted: `[1]`.
    pub alignment: Option<Tensor<1>>,
    /// What makes the gradients those of the expected loss, where attention draws positions: `[1]`.
    pub(crate) penalty: Option<Tensor<1>>,
    pub(crate) lookups: Lookups,
    /// The mean log p of a target token, with which attention that draws positions is [rewarded](RnnSearch::rewarded).
    pub(crate) reward: Option<f64>,
}

impl Loss {
    /// The gradients of the whole loss divided by `tokens`, for every parameter it depends on, by name.
    pub fn gradients(&self, model: &RnnSearch, tokens: usize) -> BTreeMap<String, Gradient> {
        let more = [&self.alignment, &self.penalty].into_iter().flatten();
        let whole = more.fold(self.nats.clone(), |sum, nats| sum + nats.clone());
        let mut tape = whole.div_scalar(tokens as f64).backward();
        let mut gradients = dense_gradients(model, &mut tape);
        let mut tables: BTreeMap<&str, (Vec<i32>, Vec<Tensor<2>>)> = BTreeMap::new();
        for LookedUp { table, ids, rows } in &self.lookups.0 {
            if let Some(gradient) = rows.grad_remove(&mut tape) {
                let (all_ids, all) = tables.entry(*table).or_default();
                all_ids.extend(ids);
                all.push(gradient);
            }
        }
        for (table, (ids, values)) in tables {
            let (rows, values) = by_word(&ids, Tensor::cat(values, 0));
            let gradient = match gradients.remove(table) {
                Some(Gradient::Dense(dense)) => Gradient::Dense(add_rows(dense, &rows, values)),
                _ => Gradient::Rows { rows, values },
            };
            gradients.insert(table.into(), gradient);
        }
        gradients
    }
}

impl Gradient {
    /// The sum of two gradients of a parameter.
    pub fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Dense(a), Self::Dense(b)) => Self::Dense(a + b),
            (Self::Dense(dense), Self::Rows { rows, values }) | (Self::Rows { rows, values }, Self::Dense(dense)) => {
                Self::Dense(add_rows(dense, &rows, values))
            }
            (Self::Rows { rows: a, values: of_a }, Self::Rows { rows: b, values: of_b }) => {
                let ids: Vec<i32> = a.into_iter().chain(b).map(|row| row as i32).collect();
                let (rows, values) = by_word(&ids, Tensor::cat(vec![of_a, of_b], 0));
                Self::Rows { rows, values }
            }
        }
    }
}

/// The words among `ids`, in ascending order.
fn distinct(mut ids: Vec<i32>) -> Vec<i32> {
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// The words among `ids`, in ascending order, and the sum of the rows of each.
fn by_word(ids: &[i32], rows: Tensor<2>) -> (Vec<usize>, Tensor<2>) {
    let words = distinct(ids.to_vec());
    let place = |id: &i32| words.binary_search(id).expect("each id is among the words") as i32;
    let places: Vec<i32> = ids.iter().map(place).collect();
    let ([_, m], device) = (rows.dims(), rows.device());
    let sums = Tensor::zeros([words.len(), m], &device);
    let sums = sums.select_assign(0, integers(&places, &device), rows, IndexingUpdateOp::Add);
    (words.into_iter().map(|word| word as usize).collect(), sums)
}

/// Adds rows to a table that is flattened.
fn add_rows(dense: Tensor<1>, rows: &[usize], values: Tensor<2>) -> Tensor<1> {
    let ([size], [_, m], device) = (dense.dims(), values.dims(), dense.device());
    let rows: Vec<i32> = rows.iter().map(|&row| row as i32).collect();
    let table = dense.reshape([size / m, m]);
    table.select_assign(0, integers(&rows, &device), values, IndexingUpdateOp::Add).reshape([size])
}

/// Integers on a device.
pub(crate) fn integers(values: &[i32], device: &Device) -> Tensor<1, Int> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), device)
}
