//! Parameters as model files hold them, and what products and look-ups make of them.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::product::{Int8, IntegerRows, Matrix, Packed, Write};

/// Parameters by the names that model files give them.
pub type Parameters<'p> = BTreeMap<&'p str, Parameter<'p>>;

/// A parameter, row after row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameter<'p> {
    /// Its sizes.
    pub shape: &'p [usize],
    /// Its elements.
    pub values: Values<'p>,
}

/// Elements in one of the forms that they are stored in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Values<'p> {
    /// 32-bit floats.
    Float32(&'p [f32]),
    /// 16-bit floats.
    Float16(&'p [f16]),
    /// A matrix of integers of -127 to 127, each times the scale of its line.
    Int8 {
        /// The integers.
        integers: &'p [i8],
        /// A scale for each line.
        scales: &'p [f32],
        /// What a line is: of embeddings a row, of other matrices a column.
        line: Line,
    },
}

/// A row or a column of a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Lines are rows.
    Row,
    /// Lines are columns.
    Column,
}

impl<'p> From<(&'p [usize], &'p [f32])> for Parameter<'p> {
    fn from((shape, values): (&'p [usize], &'p [f32])) -> Self {
        Self { shape, values: Values::Float32(values) }
    }
}

impl<'p> Parameter<'p> {
    /// The elements as numbers.
    pub fn floats(&self) -> Cow<'p, [f32]> {
        match self.values {
            Values::Float32(values) => Cow::Borrowed(values),
            Values::Float16(values) => {
                let mut floats = vec![0.0; values.len()];
                values.convert_to_f32_slice(&mut floats);
                Cow::Owned(floats)
            }
            Values::Int8 { integers, scales, line } => {
                let columns = self.shape[1];
                let scale = |place: usize| match line {
                    Line::Row => scales[place / columns],
                    Line::Column => scales[place % columns],
                };
                Cow::Owned((0..).zip(integers).map(|(place, &integer)| f32::from(integer) * scale(place)).collect())
            }
        }
    }

    /// The integers of some columns, column after column, and their scales.
    fn integer_columns(&self, columns: Range<usize>) -> Option<(Vec<i8>, &'p [f32])> {
        /// The side of the squares that are turned at a time: both sides of it stay in the first cache.
        const SQUARE: usize = 64;
        let Values::Int8 { integers, scales, line: Line::Column } = self.values else { return None };
        let (rows, width) = (self.shape[0], self.shape[1]);
        let mut turned = vec![0; rows * columns.len()];
        for first in (0..rows).step_by(SQUARE) {
            for start in columns.clone().step_by(SQUARE) {
                for row in first..rows.min(first + SQUARE) {
                    for column in start..columns.end.min(start + SQUARE) {
                        turned[(column - columns.start) * rows + row] = integers[row * width + column];
                    }
                }
            }
        }
        Some((turned, &scales[columns]))
    }
}

/// Rows that are multiplied by weights; they become integers when first they meet a weight of integers.
pub(crate) struct Operand<'r> {
    rows: Vec<&'r [f32]>,
    integers: OnceCell<IntegerRows>,
    shared: bool,
}

impl<'r> Operand<'r> {
    /// The rows of a buffer.
    pub(crate) fn of(buffer: &'r [f32], width: usize) -> Self {
        Self { rows: buffer.chunks_exact(width).collect(), integers: OnceCell::new(), shared: false }
    }

    /// If `shared` is set, all threads share the columns of its products: for when there is nothing else to do.
    pub(crate) fn shared(self, shared: bool) -> Self {
        Self { shared, ..self }
    }

    /// The rows as they are.
    pub(crate) fn rows(&self) -> &[&'r [f32]] {
        &self.rows
    }

    pub(super) fn integers(&self) -> &IntegerRows {
        self.integers.get_or_init(|| IntegerRows::new(&self.rows))
    }
}

impl<'r> From<&[&'r [f32]]> for Operand<'r> {
    fn from(rows: &[&'r [f32]]) -> Self {
        Self { rows: rows.to_vec(), integers: OnceCell::new(), shared: false }
    }
}

/// A weight `[k, n]` that rows are multiplied by.
#[derive(Debug)]
pub(crate) enum Weight {
    Float(Packed),
    Int8(Int8),
}

impl Weight {
    /// Packs some columns of a matrix: floats in pairs, see [`Packed::paired`].
    pub(crate) fn new(matrix: &Parameter, columns: Range<usize>) -> Self {
        let [rows, width] = [matrix.shape[0], matrix.shape[1]];
        match matrix.integer_columns(columns.clone()) {
            Some((integers, scales)) => {
                Self::Int8(Int8::new(rows, integers.chunks_exact(rows).zip(scales.iter().copied())))
            }
            None => Self::Float(Packed::paired(Matrix::new(&matrix.floats(), rows, width).columns(columns))),
        }
    }

    /// The rows and columns.
    pub(crate) fn shape(&self) -> [usize; 2] {
        match self {
            Self::Float(weight) => weight.shape(),
            Self::Int8(weight) => weight.shape(),
        }
    }

    /// C ← A W or C + A W, see [`Packed::multiply_shared`].
    pub(crate) fn multiply(&self, a: &Operand, c: &mut [&mut [f32]], write: Write) {
        match self {
            Self::Float(weight) => weight.multiply_shared(a.shared, &a.rows, c, write),
            Self::Int8(weight) => weight.multiply_shared(a.shared, a.integers(), c, write),
        }
    }
}

/// A matrix that lasts as long as somebody has it: its rows are looked up where it lies.
pub trait Lasting: fmt::Debug + Send + Sync {
    /// The matrix; integers have a scale for each row.
    fn view(&self) -> Parameter<'_>;
}

/// A copy of a matrix.
#[derive(Debug)]
struct Copied {
    shape: [usize; 2],
    elements: Elements,
}

#[derive(Debug)]
enum Elements {
    Float(Vec<f32>),
    Int8 { integers: Vec<i8>, scales: Vec<f32> },
}

impl Lasting for Copied {
    fn view(&self) -> Parameter<'_> {
        let values = match &self.elements {
            Elements::Float(elements) => Values::Float32(elements),
            Elements::Int8 { integers, scales } => Values::Int8 { integers, scales, line: Line::Row },
        };
        Parameter { shape: &self.shape, values }
    }
}

/// Rows by number: embeddings, or what an output layer holds for each word.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    rows: Arc<dyn Lasting>,
}

impl From<Arc<dyn Lasting>> for Table {
    fn from(rows: Arc<dyn Lasting>) -> Self {
        Self { rows }
    }
}

impl Table {
    /// The rows of a matrix, copied.
    pub(crate) fn of_rows(matrix: &Parameter) -> Self {
        let elements = match matrix.values {
            Values::Int8 { integers, scales, line: Line::Row } => {
                Elements::Int8 { integers: integers.to_vec(), scales: scales.to_vec() }
            }
            _ => Elements::Float(matrix.floats().into_owned()),
        };
        Self { rows: Arc::new(Copied { shape: [matrix.shape[0], matrix.shape[1]], elements }) }
    }

    /// The columns of a matrix.
    pub(crate) fn of_columns(matrix: &Parameter) -> Self {
        let [width, count] = [matrix.shape[0], matrix.shape[1]];
        let elements = match matrix.integer_columns(0..count) {
            Some((integers, scales)) => Elements::Int8 { integers, scales: scales.to_vec() },
            None => {
                let floats = matrix.floats();
                let places = (0..count).flat_map(|j| (0..width).map(move |i| i * count + j));
                Elements::Float(places.map(|place| floats[place]).collect())
            }
        };
        Self { rows: Arc::new(Copied { shape: [count, width], elements }) }
    }

    /// The length of a row.
    pub(crate) fn width(&self) -> usize {
        self.rows.view().shape[1]
    }

    /// The number of rows.
    pub(crate) fn len(&self) -> usize {
        self.rows.view().shape[0]
    }

    /// Some rows, one after another.
    ///
    /// # Panics
    ///
    /// If there is no row of such a number.
    pub(crate) fn rows(&self, numbers: impl ExactSizeIterator<Item = u32>) -> Vec<f32> {
        let Parameter { shape, values } = self.rows.view();
        let width = shape[1];
        let mut found = Vec::with_capacity(numbers.len() * width);
        for number in numbers {
            let place = number as usize * width..(number as usize + 1) * width;
            match values {
                Values::Float32(elements) => found.extend_from_slice(&elements[place]),
                Values::Float16(halves) => found.extend(halves[place].iter().map(|half| half.to_f32())),
                Values::Int8 { integers, scales, .. } => {
                    let scale = scales[number as usize];
                    found.extend(integers[place].iter().map(|&integer| f32::from(integer) * scale));
                }
            }
        }
        found
    }

    /// Some rows as the columns of a weight.
    ///
    /// # Panics
    ///
    /// If there is no row of such a number.
    pub(crate) fn weight(&self, numbers: impl ExactSizeIterator<Item = u32>) -> Weight {
        let Parameter { shape, values } = self.rows.view();
        let width = shape[1];
        match values {
            Values::Int8 { integers, scales, .. } => {
                let column = |number: u32| (&integers[number as usize * width..][..width], scales[number as usize]);
                Weight::Int8(Int8::new(width, numbers.map(column)))
            }
            _ => {
                let count = numbers.len();
                Weight::Float(Packed::paired(Matrix::new(&self.rows(numbers), count, width).transposed()))
            }
        }
    }
}

/// x W + b.
#[derive(Debug)]
pub(crate) struct Affine {
    pub(crate) weight: Weight,
    pub(crate) bias: Vec<f32>,
}

impl Affine {
    /// For rows `x`, one after another.
    pub(crate) fn apply(&self, x: &Operand) -> Vec<f32> {
        let mut y = self.bias.repeat(x.rows.len());
        self.weight.multiply(x, &mut y.chunks_exact_mut(self.bias.len()).collect::<Vec<_>>(), Write::Add);
        y
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_say_the_same() {
        let (shape, integers) = ([3, 5], [5, -3, 127, 0, 1, -127, 64, 2, 3, 4, 9, 8, 7, 6, 5i8]);
        let (of_rows, of_columns) = ([0.5, 2.0, 0.25], [0.5, 2.0, 0.25, 1.0, 4.0]);
        for (line, scales) in [(Line::Row, &of_rows[..]), (Line::Column, &of_columns)] {
            let int8 = Parameter { shape: &shape, values: Values::Int8 { integers: &integers, scales, line } };
            let floats = int8.floats();
            let halves: Vec<f16> = floats.iter().map(|&x| f16::from_f32(x)).collect();
            let float32 = Parameter { shape: &shape, values: Values::Float32(&floats) };
            let float16 = Parameter { shape: &shape, values: Values::Float16(&halves) };
            assert_eq!((floats[2], floats[5]), if line == Line::Row { (63.5, -254.0) } else { (31.75, -63.5) });
            for parameter in [int8, float32, float16] {
                assert_eq!(parameter.floats(), floats);
                assert_eq!(Table::of_rows(&parameter).rows([2, 0].into_iter()), [&floats[10..], &floats[..5]].concat());
                let columns = Table::of_columns(&parameter);
                assert_eq!((columns.width(), columns.len()), (3, 5));
                assert_eq!(columns.rows([1].into_iter()), [floats[1], floats[6], floats[11]]);
                // Integers as they are, so that products are exact.
                let x = [127.0, 1.0, -3.0];
                let expected: Vec<f32> =
                    (1..4).map(|j| (0..3).map(|i| x[i] * floats[i * 5 + j]).sum::<f32>()).collect();
                for weight in [Weight::new(&parameter, 1..4), columns.weight([1, 2, 3].into_iter())] {
                    let mut y = [0.0; 3];
                    weight.multiply(&Operand::of(&x, 3), &mut [&mut y[..]], Write::Set);
                    assert_eq!((weight.shape(), &y[..]), ([3, 3], &expected[..]), "{line:?}");
                }
            }
        }
    }
}
