//! Times forward and backward passes of the three operations, fused and plain, on flex:
//! `step [fused|plain] [HIDDEN VOCABULARY] [ROUNDS]`; batch 80, 15 source and 15 target tokens.
//!
//! The first operation's input comes from a matrix product, as in a model. Time is that of all processors together.

use burn::prelude::*;
use burn::tensor::{Distribution, TensorData};
use rnnsearch_kernels::{
    AttentionWeights, Criterion, Direction, Memory, Padding, Recurrent, Reset, Teacher, decoder_sequence, gru_sequence,
    output_loss, plain,
};

const BATCH: usize = 80;
const LEN: usize = 15;

/// The time that all threads of this process have spent on a processor, in seconds.
fn cpu_time() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux");
    let spent = |task: std::fs::DirEntry| -> Option<u64> {
        std::fs::read_to_string(task.path().join("schedstat")).ok()?.split(' ').next()?.parse().ok()
    };
    tasks.flatten().filter_map(spent).sum::<u64>() as f64 / 1e9
}

/// All that the three operations take.
struct Step {
    inputs: Tensor<2>,
    input_weight: Tensor<2>,
    initial: Tensor<2>,
    recurrent: Recurrent,
    attention: AttentionWeights,
    key_weight: Tensor<2>,
    padding: Padding,
    output_weight: Tensor<2>,
    output_bias: Tensor<1>,
    targets: Tensor<1, Int>,
}

impl Step {
    fn new(n: usize, vocabulary: usize, device: &Device) -> Self {
        let weight =
            |rows, columns| Tensor::random([rows, columns], Distribution::Uniform(-0.1, 0.1), device).require_grad();
        let targets: Vec<i64> = (0..BATCH * LEN).map(|i| (i * 7919 % vocabulary) as i64).collect();
        Self {
            inputs: weight(LEN * BATCH, n),
            input_weight: weight(n, 3 * n),
            initial: weight(BATCH, n),
            recurrent: Recurrent { weight: weight(n, 3 * n), bias: None, gain: None, reset: Reset::Before },
            attention: AttentionWeights {
                query: weight(n, n),
                energy: Tensor::ones([n], device).require_grad(),
                context: weight(2 * n, 3 * n),
                context_gain: None,
            },
            key_weight: weight(2 * n, n),
            padding: Padding::new(&[LEN; BATCH], LEN, device),
            output_weight: weight(n, vocabulary),
            output_bias: Tensor::zeros([vocabulary], device).require_grad(),
            targets: Tensor::from_data(TensorData::new(targets, [BATCH * LEN]), device),
        }
    }

    /// Encoder, decoder, loss and their gradients.
    fn run(&self, fused: bool) -> f32 {
        let n = self.initial.dims()[1];
        let projected = self.inputs.clone().matmul(self.input_weight.clone()).reshape([LEN, BATCH, 3 * n]);
        let gru = if fused { gru_sequence } else { plain::gru_sequence };
        let [ahead, back] = [Direction::Forward, Direction::Backward].map(|direction| {
            let padding = Some(&self.padding);
            gru(projected.clone(), padding, self.initial.clone(), &self.recurrent, None, direction)
        });
        let annotations = Tensor::cat(vec![ahead, back], 2).swap_dims(0, 1);
        let keys = annotations.clone().reshape([BATCH * LEN, 2 * n]).matmul(self.key_weight.clone());
        let memory = Memory { annotations, keys: keys.reshape([BATCH, LEN, n]), bias: self.padding.energy_bias() };
        let teacher = Teacher {
            projected,
            initial: self.initial.clone(),
            dropout: None,
            padding: self.padding.clone(),
            alignments: false,
        };
        let decoder = if fused { decoder_sequence } else { plain::decoder_sequence };
        let states = decoder(teacher, &memory, &self.attention, &self.recurrent, None).slice([0..LEN, 0..BATCH, 0..n]);
        let loss = if fused { output_loss } else { plain::output_loss };
        let readout = states.reshape([LEN * BATCH, n]);
        let criterion = Criterion { targets: self.targets.clone(), smoothing: 0.1, weights: None, consistency: 0.0 };
        let loss =
            loss(readout, self.output_weight.clone(), self.output_bias.clone(), criterion) / (LEN * BATCH) as f32;
        let gradients = loss.backward();
        assert!(self.recurrent.weight.grad(&gradients).is_some());
        loss.into_scalar()
    }
}

fn main() {
    rnnsearch_kernels::keep_freed_buffers();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Vec<usize> = arguments.iter().filter_map(|a| a.parse().ok()).collect();
    let rounds = numbers.get(2).copied().unwrap_or(6);
    let sizes = if let [n, v, ..] = numbers[..] { vec![(n, v)] } else { vec![(256, 8000), (512, 16000)] };
    for (n, vocabulary) in sizes {
        let step = Step::new(n, vocabulary, &Device::flex().autodiff());
        for (name, fused) in [("fused", true), ("plain", false)] {
            if arguments.first().is_some_and(|a| a != name && (a == "fused" || a == "plain")) {
                continue;
            }
            step.run(fused);
            let start = cpu_time();
            let loss = (0..rounds).fold(f32::NAN, |_, _| step.run(fused));
            println!("{n}/{n}/{vocabulary} {name}: {:.3} CPU-s, loss {loss}", (cpu_time() - start) / rounds as f64);
        }
    }
}
