//! Parameters as the tensors of a model file, in any of their forms.
//!
//! A matrix of integers has a second tensor beside it, `NAME.scale`, `[rows, 1]` for embeddings and `[1, columns]` for others.

use std::collections::BTreeMap;
use std::ops::Range;

use half::f16;
use rnnsearch_numeric::network::{Line, Parameter, Parameters, Values};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

/// In what form matrices are stored. Vectors are always 32-bit floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As they were trained.
    Float32,
    /// Half the size.
    Float16,
    /// A quarter of the size, and products of integers: each line of a matrix, a word's embedding for example, has a scale
    /// of its own.
    Int8,
}

/// What comes behind the name of a matrix of integers for its scales.
const SCALE: &str = ".scale";

/// Whether a tensor of that name holds the scales of another.
pub(crate) fn is_scale(name: &str) -> bool {
    name.ends_with(SCALE)
}

/// The largest integer.
const LARGEST: f32 = 127.0;

/// A tensor to be written.
pub(crate) struct Tensor {
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    pub(crate) bytes: Vec<u8>,
}

impl Tensor {
    pub(crate) fn of_words(words: &[u32], shape: Vec<usize>) -> Self {
        Self { dtype: Dtype::U32, shape, bytes: bytemuck::cast_slice(words).to_vec() }
    }

    fn of_floats(values: &[f32], shape: Vec<usize>) -> Self {
        Self { dtype: Dtype::F32, shape, bytes: bytemuck::cast_slice(values).to_vec() }
    }
}

/// The tensors of parameters: their matrices in a form, or as they are.
pub(crate) fn tensors_of(parameters: &Parameters, form: Option<Form>) -> BTreeMap<String, Tensor> {
    let mut tensors = BTreeMap::new();
    for (&name, parameter) in parameters {
        let shape = parameter.shape.to_vec();
        let form = if shape.len() == 2 { form.unwrap_or(form_of(parameter)) } else { Form::Float32 };
        let (dtype, bytes) = match (form, parameter.values) {
            (Form::Float32, _) => (Dtype::F32, bytemuck::cast_slice(&parameter.floats()).to_vec()),
            (Form::Float16, Values::Float16(values)) => (Dtype::F16, bytemuck::cast_slice(values).to_vec()),
            (Form::Float16, _) => {
                let halves: Vec<f16> = parameter.floats().iter().map(|&x| f16::from_f32(x)).collect();
                (Dtype::F16, bytemuck::cast_slice(&halves).to_vec())
            }
            (Form::Int8, values) => {
                let (integers, scales) = match values {
                    Values::Int8 { integers, scales, .. } => (integers.to_vec(), scales.to_vec()),
                    _ => integers_of(&parameter.floats(), shape[1], line_of(name)),
                };
                tensors.insert(format!("{name}{SCALE}"), Tensor::of_floats(&scales, scale_shape(name, &shape)));
                (Dtype::I8, bytemuck::cast_slice(&integers).to_vec())
            }
        };
        tensors.insert(name.into(), Tensor { dtype, shape, bytes });
    }
    tensors
}

/// The form of a parameter.
pub(crate) fn form_of(parameter: &Parameter) -> Form {
    match parameter.values {
        Values::Float32(_) => Form::Float32,
        Values::Float16(_) => Form::Float16,
        Values::Int8 { .. } => Form::Int8,
    }
}

/// A matrix as integers, with a scale for each of its lines: its largest element becomes ±127.
fn integers_of(matrix: &[f32], columns: usize, line: Line) -> (Vec<i8>, Vec<f32>) {
    let line_at = |place: usize| if line == Line::Row { place / columns } else { place % columns };
    let count = if line == Line::Row { matrix.len() / columns } else { columns };
    let mut scales = vec![0f32; count];
    for (place, x) in matrix.iter().enumerate() {
        let scale = &mut scales[line_at(place)];
        *scale = scale.max(x.abs() / LARGEST);
    }
    let integer = |(place, x): (usize, &f32)| {
        let scale = scales[line_at(place)];
        // A line of zeros has no scale; a quotient never rounds beyond the largest integer.
        if scale == 0.0 { 0 } else { (x / scale).round_ties_even().clamp(-LARGEST, LARGEST) as i8 }
    };
    let integers = matrix.iter().enumerate().map(integer).collect();
    (integers, scales)
}

/// What a matrix has scales for: a word's embedding is a row, what makes one number of a product is a column.
fn line_of(name: &str) -> Line {
    if name.ends_with("_embedding") { Line::Row } else { Line::Column }
}

fn scale_shape(name: &str, shape: &[usize]) -> Vec<usize> {
    match line_of(name) {
        Line::Row => vec![shape[0], 1],
        Line::Column => vec![1, shape[1]],
    }
}

/// Where a parameter lies in a file.
#[derive(Debug)]
pub(crate) struct Stored {
    shape: Vec<usize>,
    place: Range<usize>,
    form: StoredForm,
}

#[derive(Debug)]
enum StoredForm {
    Float32,
    Float16,
    Int8 { scales: Range<usize>, line: Line },
}

impl Stored {
    /// The parameter, from the bytes of its file.
    pub(crate) fn view<'f>(&'f self, file: &'f [u8]) -> Parameter<'f> {
        const READ_BEFORE: &str = "the file was read so before";
        let bytes = &file[self.place.clone()];
        let values = match &self.form {
            StoredForm::Float32 => Values::Float32(numbers(bytes).expect(READ_BEFORE)),
            StoredForm::Float16 => Values::Float16(numbers(bytes).expect(READ_BEFORE)),
            StoredForm::Int8 { scales, line } => Values::Int8 {
                integers: bytemuck::cast_slice(bytes),
                scales: numbers(&file[scales.clone()]).expect(READ_BEFORE),
                line: *line,
            },
        };
        Parameter { shape: &self.shape, values }
    }
}

/// The parameters among the tensors of a file, or what is wrong with them.
pub(crate) fn find_parameters(
    file: &[u8],
    tensors: &BTreeMap<String, TensorView>,
) -> Result<BTreeMap<String, Stored>, String> {
    let place = |view: &TensorView| {
        let start = view.data().as_ptr() as usize - file.as_ptr() as usize;
        start..start + view.data().len()
    };
    let floats = |name: &str, view: &TensorView| match view.dtype() {
        Dtype::F32 if numbers::<f32>(view.data()).is_some() => Ok(place(view)),
        _ => Err(format!("its tensor `{name}` is no row of 32-bit floats")),
    };
    let mut found = BTreeMap::new();
    for (name, view) in tensors {
        let form = match (view.dtype(), view.shape().len()) {
            (Dtype::I8, 2) => {
                let name_of_scales = format!("{name}{SCALE}");
                let scales =
                    tensors.get(&name_of_scales).filter(|scales| scales.shape() == scale_shape(name, view.shape()));
                let scales = scales.ok_or_else(|| format!("its tensor `{name}` has no scales that fit"))?;
                // The ways to multiply do not agree about the number that has no negative.
                if view.data().contains(&i8::MIN.cast_unsigned()) {
                    return Err(format!("its tensor `{name}` has an integer below -127"));
                }
                StoredForm::Int8 { scales: floats(&name_of_scales, scales)?, line: line_of(name) }
            }
            (Dtype::F16, 2) if numbers::<f16>(view.data()).is_some() => StoredForm::Float16,
            _ => {
                floats(name, view)?;
                StoredForm::Float32
            }
        };
        let is_scale =
            name.strip_suffix(SCALE).and_then(|of| tensors.get(of)).is_some_and(|of| of.dtype() == Dtype::I8);
        if !is_scale {
            found.insert(name.clone(), Stored { shape: view.shape().to_vec(), place: place(view), form });
        }
    }
    Ok(found)
}

impl Stored {
    /// The parameter's sizes.
    pub(crate) fn shape(&self) -> &[usize] {
        &self.shape
    }
}

/// The numbers that bytes of a file hold: safetensors are little-endian, as all processors are that this program is built for.
pub(crate) fn numbers<T: bytemuck::AnyBitPattern>(bytes: &[u8]) -> Option<&[T]> {
    const { assert!(cfg!(target_endian = "little")) };
    bytemuck::try_cast_slice(bytes).ok()
}
