//! Adam, averages of weights and the length of gradients, on flattened parameters.
//!
//! These tensors take no part in differentiation: parameters and gradients come without their autodiff association.

#![allow(deprecated, reason = "ndarray stays selectable beside flex, which Burn prefers")]

use std::sync::Arc;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, NdArray, backend_extension};
use burn::prelude::*;
pub use rnnsearch_numeric::adam::Adam;
use rnnsearch_numeric::adam::{Table, average as average_on_host, sum_of_squares as sum_on_host};

use crate::fused::host::{Host, size};
use crate::profile::{Operation, timed};
use crate::{Kernel, kernel_of};

/// A parameter with the running averages of its gradient and of its square, all `[size]`.
#[derive(Clone, Debug)]
pub struct AdamTensors {
    /// The parameter.
    pub parameter: Tensor<1>,
    /// The average gradient.
    pub first: Tensor<1>,
    /// The average square of the gradient.
    pub second: Tensor<1>,
}

/// One update of Adam; on the CPU in place, where nobody else holds the tensors.
pub fn adam(tensors: AdamTensors, gradient: Tensor<1>, adam: Adam) -> AdamTensors {
    match kernel_of(&gradient.device()) {
        Kernel::Fused => fused(tensors, gradient, adam),
        Kernel::Plain => plain(tensors, gradient, adam),
    }
}

/// One update of Adam of some rows of a table, in ascending order, in place: `gradient` is theirs, `[rows.len(), m]`.
///
/// # Panics
///
/// Where the plain definitions serve.
pub fn adam_rows(tensors: AdamTensors, gradient: Tensor<2>, rows: Vec<usize>, adam: Adam) -> AdamTensors {
    let AdamTensors { parameter, first, second } = tensors;
    tensors_of(<Dispatch as HostOperations>::adam_rows(
        parameter.into_dispatch(),
        gradient.into_dispatch(),
        first.into_dispatch(),
        second.into_dispatch(),
        rows,
        adam,
    ))
}

/// The updates that rows of a table of this width have missed because they had no gradient, in place: row r those of
/// `updates[from..]`, for each (r, from), in ascending order.
///
/// # Panics
///
/// Where the plain definitions serve.
pub fn catch_up(
    tensors: AdamTensors,
    width: usize,
    missed: Vec<(usize, usize)>,
    updates: Arc<Vec<Adam>>,
) -> AdamTensors {
    let AdamTensors { parameter, first, second } = tensors;
    tensors_of(<Dispatch as HostOperations>::catch_up(
        parameter.into_dispatch(),
        first.into_dispatch(),
        second.into_dispatch(),
        width,
        missed,
        updates,
    ))
}

/// An average moved towards a parameter, by a share of the way; on the CPU in place, where nobody else holds it.
pub fn average(average: Tensor<1>, parameter: Tensor<1>, share: f32) -> Tensor<1> {
    match kernel_of(&parameter.device()) {
        Kernel::Fused => Tensor::from_dispatch(<Dispatch as HostOperations>::average(
            average.into_dispatch(),
            parameter.into_dispatch(),
            share,
        )),
        Kernel::Plain => average.clone() + (parameter - average) * share,
    }
}

/// The length of all gradients as one vector.
pub fn norm(gradients: &[Tensor<1>]) -> f64 {
    let square = |gradient: &Tensor<1>| match kernel_of(&gradient.device()) {
        Kernel::Fused => <Dispatch as HostOperations>::squares(gradient.clone().into_dispatch()),
        Kernel::Plain => gradient.clone().square().sum().into_dispatch(),
    };
    let squares: Vec<Tensor<1>> = gradients.iter().map(|gradient| Tensor::from_dispatch(square(gradient))).collect();
    let squares = Tensor::cat(squares, 0).try_into_vec_as::<f32>().expect("a float tensor can be read");
    squares.iter().map(|&square| f64::from(square)).sum::<f64>().sqrt()
}

fn plain(tensors: AdamTensors, gradient: Tensor<1>, adam: Adam) -> AdamTensors {
    let AdamTensors { parameter, first, second } = tensors;
    let gradient = gradient * adam.scale;
    let first = first * adam.beta1 + gradient.clone() * (1.0 - adam.beta1);
    let second = second * adam.beta2 + gradient.square() * (1.0 - adam.beta2);
    let change = first.clone() * adam.rate / (second.clone().sqrt() * adam.correction + adam.epsilon);
    AdamTensors { parameter: parameter - change, first, second }
}

fn fused(tensors: AdamTensors, gradient: Tensor<1>, adam: Adam) -> AdamTensors {
    let AdamTensors { parameter, first, second } = tensors;
    tensors_of(<Dispatch as HostOperations>::adam(
        parameter.into_dispatch(),
        gradient.into_dispatch(),
        first.into_dispatch(),
        second.into_dispatch(),
        adam,
    ))
}

type Primitive = FloatTensor<Dispatch>;

fn tensors_of((parameter, first, second): (Primitive, Primitive, Primitive)) -> AdamTensors {
    let [parameter, first, second] = [parameter, first, second].map(Tensor::from_dispatch);
    AdamTensors { parameter, first, second }
}

#[backend_extension(Flex, NdArray)]
trait HostOperations: Backend {
    fn adam(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        adam: Adam,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    fn adam_rows(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        rows: Vec<usize>,
        adam: Adam,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    fn catch_up(
        parameter: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        width: usize,
        missed: Vec<(usize, usize)>,
        updates: Arc<Vec<Adam>>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    fn average(average: FloatTensor<Self>, parameter: FloatTensor<Self>, share: f32) -> FloatTensor<Self>;

    fn squares(gradient: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// Changes a table, flattened, and its moments, where nobody else holds them.
fn in_place<B: Host>(
    parameter: FloatTensor<B>,
    first: FloatTensor<B>,
    second: FloatTensor<B>,
    width: usize,
    change: impl FnOnce(Table),
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let shape = [size(&parameter, 0)];
    let [mut parameters, mut first, mut second] = [parameter, first, second].map(B::into_vec);
    timed(Operation::Optimizer, || {
        change(Table { width, parameters: &mut parameters, first: &mut first, second: &mut second });
    });
    let tensor = |elements| B::tensor(elements, &shape);
    (tensor(parameters), tensor(first), tensor(second))
}

macro_rules! on_host {
    ($($backend:ty),*) => {$(
        impl HostOperations for $backend {
            fn adam(
                parameter: FloatTensor<Self>,
                gradient: FloatTensor<Self>,
                first: FloatTensor<Self>,
                second: FloatTensor<Self>,
                adam: Adam,
            ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
                let shape = [size(&parameter, 0)];
                let [mut parameter, mut first, mut second] = [parameter, first, second].map(Self::into_vec);
                let gradient = Self::contiguous(gradient);
                timed(Operation::Optimizer, || {
                    adam.update(&mut parameter, Self::slice(&gradient), &mut first, &mut second);
                });
                let tensor = |elements| Self::tensor(elements, &shape);
                (tensor(parameter), tensor(first), tensor(second))
            }

            fn adam_rows(
                parameter: FloatTensor<Self>,
                gradient: FloatTensor<Self>,
                first: FloatTensor<Self>,
                second: FloatTensor<Self>,
                rows: Vec<usize>,
                adam: Adam,
            ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
                let width = size(&gradient, 1);
                let gradient = Self::contiguous(gradient);
                in_place::<Self>(parameter, first, second, width, |table| {
                    adam.update_rows(&rows, Self::slice(&gradient), table);
                })
            }

            fn catch_up(
                parameter: FloatTensor<Self>,
                first: FloatTensor<Self>,
                second: FloatTensor<Self>,
                width: usize,
                missed: Vec<(usize, usize)>,
                updates: Arc<Vec<Adam>>,
            ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
                in_place::<Self>(parameter, first, second, width, |table| table.catch_up(&missed, &updates))
            }

            fn average(average: FloatTensor<Self>, parameter: FloatTensor<Self>, share: f32) -> FloatTensor<Self> {
                let shape = [size(&average, 0)];
                let (mut average, parameter) = (Self::into_vec(average), Self::contiguous(parameter));
                timed(Operation::Optimizer, || average_on_host(&mut average, Self::slice(&parameter), share));
                Self::tensor(average, &shape)
            }

            fn squares(gradient: FloatTensor<Self>) -> FloatTensor<Self> {
                let gradient = Self::contiguous(gradient);
                let sum = timed(Operation::Optimizer, || sum_on_host(Self::slice(&gradient)));
                Self::tensor(vec![sum as f32], &[1])
            }
        }
    )*};
}

on_host!(Flex, NdArray);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fused_is_plain() {
        #[allow(deprecated, reason = "ndarray stays selectable")]
        for device in [Device::flex(), Device::ndarray()] {
            let tensor = |phase: f32| {
                let values: Vec<f32> = (0..1000).map(|i| (i as f32 * 0.37 + phase).sin()).collect();
                Tensor::<1>::from_floats(values.as_slice(), &device)
            };
            let tensors = || AdamTensors { parameter: tensor(0.0), first: tensor(1.0), second: tensor(2.0).abs() };
            let adam = Adam { beta1: 0.9, beta2: 0.98, epsilon: 1e-3, scale: 0.7, rate: 0.01, correction: 1.3 };
            let (fused, plain) = (fused(tensors(), tensor(3.0), adam), plain(tensors(), tensor(3.0), adam));
            let pairs = [(fused.parameter, plain.parameter), (fused.first, plain.first), (fused.second, plain.second)];
            for (fused, plain) in pairs {
                let difference = (fused - plain).abs().max().into_scalar::<f32>();
                assert!(difference < 1e-6, "{difference}");
            }
            let moved = average(tensor(0.0), tensor(1.0), 0.25);
            let expected = tensor(0.0) * 0.75 + tensor(1.0) * 0.25;
            assert!((moved - expected).abs().max().into_scalar::<f32>() < 1e-6);
            let length = norm(&[tensor(0.0), tensor(1.0)]);
            let expected = (tensor(0.0).square().sum() + tensor(1.0).square().sum()).sqrt().into_scalar::<f32>();
            assert!((length - f64::from(expected)).abs() < 1e-3);
        }
    }
}
