//! Backends whose tensors are slices in this machine's memory.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Flex, NdArray, TensorMetadata};
use burn::tensor::TensorData;
use burn_flex::FlexTensor;
use burn_ndarray::NdArrayTensor;

/// A backend whose tensors of 32-bit floats can be read as slices.
pub(crate) trait Host: Backend {
    /// The tensor with its elements in row-major order and nothing between them.
    fn contiguous(tensor: FloatTensor<Self>) -> FloatTensor<Self>;

    /// The elements of a [contiguous](Self::contiguous) tensor.
    fn slice(tensor: &FloatTensor<Self>) -> &[f32];

    /// A tensor of these elements.
    fn tensor(elements: Vec<f32>, shape: &[usize]) -> FloatTensor<Self>;

    /// The elements in row-major order; without a copy where nobody else holds the tensor.
    fn into_vec(tensor: FloatTensor<Self>) -> Vec<f32>;
}

impl Host for Flex {
    fn contiguous(tensor: FlexTensor) -> FlexTensor {
        if tensor.is_contiguous() { tensor } else { tensor.to_contiguous() }
    }

    fn slice(tensor: &FlexTensor) -> &[f32] {
        tensor.as_slice().expect("a contiguous tensor of 32-bit floats")
    }

    fn tensor(elements: Vec<f32>, shape: &[usize]) -> FlexTensor {
        FlexTensor::from_data(TensorData::new(elements, shape.to_vec()))
    }

    fn into_vec(tensor: FlexTensor) -> Vec<f32> {
        tensor.into_data().try_into_vec().expect("32-bit floats")
    }
}

impl Host for NdArray {
    fn contiguous(tensor: NdArrayTensor) -> NdArrayTensor {
        match tensor {
            NdArrayTensor::F32(storage) if !storage.view().is_standard_layout() => {
                let elements = storage.view().iter().copied().collect();
                Self::tensor(elements, storage.shape())
            }
            tensor => tensor,
        }
    }

    fn slice(tensor: &NdArrayTensor) -> &[f32] {
        let elements = match tensor {
            NdArrayTensor::F32(storage) => storage.view().to_slice(),
            _ => None,
        };
        elements.expect("a contiguous tensor of 32-bit floats")
    }

    fn tensor(elements: Vec<f32>, shape: &[usize]) -> NdArrayTensor {
        NdArrayTensor::from_data(TensorData::new(elements, shape.to_vec()))
    }

    fn into_vec(tensor: NdArrayTensor) -> Vec<f32> {
        Self::slice(&Self::contiguous(tensor)).to_vec()
    }
}

/// The size of a tensor's dimension.
pub(crate) fn size<T: TensorMetadata>(tensor: &T, dimension: usize) -> usize {
    tensor.shape()[dimension]
}
