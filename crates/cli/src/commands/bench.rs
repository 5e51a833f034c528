//! `rnnsearch bench`

use std::fmt::Write;
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::HumanCount;
use rnnsearch_config::{Config, Precision};
use rnnsearch_corpus::Lines;
use rnnsearch_inference::Form;
use rnnsearch_kernels::profile::{Operation, spent};
use rnnsearch_kernels::{Kernel, highest, kernel_of, precision_on, rates};
use rnnsearch_training::{Rehearsal, Workload};
use serde::Serialize;
use serde_json::json;

use crate::args::{BenchCommand, BenchProducts, BenchTrain, BenchTranslate};
use crate::compute::start_threads;
use crate::output::print;
use crate::usage::{cpu_time, peak_memory};

/// Updates before the first that is timed: caches and buffers are empty.
const WARM_UP: usize = 2;

/// Measures.
pub fn run(what: &BenchCommand) -> Result<()> {
    match what {
        BenchCommand::Train(args) => train(args),
        BenchCommand::Translate(args) => translate(args),
        BenchCommand::Products(args) => products(args),
    }
}

/// Prints a report, as text or as JSON.
fn show(report: &(impl Serialize + std::fmt::Display), as_json: bool) -> Result<()> {
    print(&if as_json { serde_json::to_string(report)? + "\n" } else { report.to_string() })
}

/// What updates cost.
#[derive(Serialize)]
struct Training {
    device: String,
    /// Of the numbers that products multiply.
    precision: Precision,
    parameters: usize,
    threads: usize,
    updates: usize,
    target_tokens_per_second: f64,
    seconds_per_update: f64,
    cpu_seconds_per_update: Option<f64>,
    /// Of an update's matrix products.
    gigaflop_per_update: f64,
    /// The highest measured, of one thread among all.
    product_gigaflops_per_thread: Option<f64>,
    floor_cpu_seconds: Option<f64>,
    share_of_floor: Option<f64>,
    peak_memory_bytes: Option<u64>,
    /// The mean of an update, on a clock on the wall; empty where the device is no CPU. The last is all the rest.
    seconds_by_operation: Vec<(String, f64)>,
}

fn train(args: &BenchTrain) -> Result<()> {
    let config = match &args.config {
        Some(path) => Config::load(path, &args.overrides)?,
        None => Config::from_toml("", &args.overrides)?,
    };
    args.compute.start_threads()?;
    let device = args.compute.device.open()?;
    let kernel = kernel_of(&device);
    let workload = Workload {
        sentences: args.sentences.get(),
        source_length: args.source_length.get(),
        target_length: args.target_length.get(),
        vocabulary: args.vocabulary.get(),
    };
    let mut rehearsal = Rehearsal::new(&config, workload, &device)?;
    for _ in 0..WARM_UP {
        rehearsal.update();
    }
    let (operations_before, mut walls, mut cpus) = (Operation::ALL.map(spent), Vec::new(), Vec::new());
    for _ in 0..args.updates.get() {
        let (wall, cpu) = (Instant::now(), cpu_time());
        rehearsal.update();
        walls.push(wall.elapsed());
        cpus.extend(cpu.and_then(|cpu| Some(cpu_time()? - cpu)));
    }
    // Before the products, which have matrices of their own.
    let peak_memory_bytes = peak_memory();
    let on_cpu = kernel == Kernel::Fused;
    let rate = on_cpu.then(|| highest(&rates(), false));
    let seconds = median(&mut walls);
    let cpu_seconds = (!cpus.is_empty() && on_cpu).then(|| median(&mut cpus));
    let floor = rate.map(|rate| rehearsal.operations() / rate);
    let mean = |(operation, before): (Operation, Duration)| {
        (operation.to_string(), (spent(operation) - before).as_secs_f64() / args.updates.get() as f64)
    };
    let mut by_operation: Vec<_> = Operation::ALL.into_iter().zip(operations_before).map(mean).collect();
    let known: f64 = by_operation.iter().map(|(_, seconds)| seconds).sum();
    let all = walls.iter().sum::<Duration>().as_secs_f64() / args.updates.get() as f64;
    by_operation.push(("all the rest".into(), all - known));
    let report = Training {
        device: args.compute.describe(kernel),
        precision: precision_on(&device, config.training.precision).expect("the rehearsal has found them"),
        parameters: rehearsal.parameters(),
        threads: rayon::current_num_threads(),
        updates: args.updates.get(),
        target_tokens_per_second: workload.target_tokens() as f64 / seconds,
        seconds_per_update: seconds,
        cpu_seconds_per_update: cpu_seconds,
        gigaflop_per_update: rehearsal.operations() / 1e9,
        product_gigaflops_per_thread: rate.map(|rate| rate / 1e9),
        floor_cpu_seconds: floor,
        share_of_floor: floor.zip(cpu_seconds).map(|(floor, cpu)| floor / cpu),
        peak_memory_bytes,
        seconds_by_operation: if on_cpu { by_operation } else { Vec::new() },
    };
    show(&report, args.json)
}

impl std::fmt::Display for Training {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}; {} parameters", self.device, HumanCount(self.parameters as u64))?;
        if let Some(instructions) = self.precision.needs() {
            let name = self.precision.name();
            line(f, "matrix products", format!("of {name} ({instructions}); the floor below is that of float32"))?;
        }
        line(f, "target tokens/s", format!("{:.0}", self.target_tokens_per_second))?;
        let cpu = self.cpu_seconds_per_update.map_or_else(String::new, |cpu| format!(", {cpu:.3} CPU-s"));
        line(f, "an update", format!("{:.3} s{cpu} (median of {})", self.seconds_per_update, self.updates))?;
        let floor = [Some(self.gigaflop_per_update), self.floor_cpu_seconds, self.product_gigaflops_per_thread];
        floor_lines(f, floor, self.share_of_floor)?;
        memory(f, self.peak_memory_bytes)?;
        for (operation, seconds) in &self.seconds_by_operation {
            line(f, operation, format!("{:6.1} ms", seconds * 1e3))?;
        }
        Ok(())
    }
}

/// What translating a file costs.
#[derive(Serialize)]
struct Translating {
    device: String,
    threads: usize,
    beam: usize,
    batch: usize,
    sentences: usize,
    seconds_to_load: f64,
    seconds: f64,
    cpu_seconds: Option<f64>,
    sentences_per_second: f64,
    target_tokens_per_second: f64,
    /// Of the matrix products of the file.
    gigaflop: Option<f64>,
    /// The highest measured, of one thread among all, in the numbers that the model multiplies.
    product_gigaflops_per_thread: Option<f64>,
    floor_cpu_seconds: Option<f64>,
    share_of_floor: Option<f64>,
    peak_memory_bytes: Option<u64>,
}

fn translate(args: &BenchTranslate) -> Result<()> {
    let lines: Vec<String> = Lines::open(&args.input)?.collect::<Result<_, _>>()?;
    let begin = Instant::now();
    let translator = args.compute.load(&args.model, &args.search.ensemble, args.messages)?;
    let seconds_to_load = begin.elapsed().as_secs_f64();
    let mut options = args.search.options(&translator.config().translation);
    // As `translate` does where only text is asked for.
    options.search.scores = false;
    let (mut tokens, mut operations) = (0, None);
    let (mut walls, mut cpus) = (Vec::new(), Vec::new());
    for round in 0..=args.rounds.get() {
        let (wall, cpu, before) = (Instant::now(), cpu_time(), translator.operations());
        tokens =
            translator.translate(&lines, &options).iter().map(|translation| translation.candidates[0].length).sum();
        operations = translator.operations().zip(before).map(|(after, before)| (after - before) as f64);
        if round > 0 {
            walls.push(wall.elapsed());
            cpus.extend(cpu.and_then(|cpu| Some(cpu_time()? - cpu)));
        }
    }
    let seconds = median(&mut walls);
    let device = args.compute.device.open()?;
    // Before the products, which have matrices of their own.
    let peak_memory_bytes = peak_memory();
    let rate = operations.map(|_| highest(&rates(), translator.form() == Form::Int8));
    let cpu_seconds = (!cpus.is_empty()).then(|| median(&mut cpus));
    let floor = operations.zip(rate).map(|(operations, rate)| operations / rate);
    let report = Translating {
        device: args.compute.describe(kernel_of(&device)),
        threads: rayon::current_num_threads(),
        beam: options.search.beam_size,
        batch: options.batch_size,
        sentences: lines.len(),
        seconds_to_load,
        seconds,
        cpu_seconds,
        sentences_per_second: lines.len() as f64 / seconds,
        target_tokens_per_second: tokens as f64 / seconds,
        gigaflop: operations.map(|operations| operations / 1e9),
        product_gigaflops_per_thread: rate.map(|rate| rate / 1e9),
        floor_cpu_seconds: floor,
        share_of_floor: floor.zip(cpu_seconds).map(|(floor, cpu)| floor / cpu),
        peak_memory_bytes,
    };
    show(&report, args.json)
}

impl std::fmt::Display for Translating {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}; beam {}, batches of {}", self.device, self.beam, self.batch)?;
        line(f, "sentences/s", format!("{:.1}", self.sentences_per_second))?;
        line(f, "target tokens/s", format!("{:.0}", self.target_tokens_per_second))?;
        let cpu = self.cpu_seconds.map_or_else(String::new, |cpu| format!(", {cpu:.3} CPU-s"));
        line(f, "the file", format!("{} lines in {:.3} s{cpu}", self.sentences, self.seconds))?;
        line(f, "loading the model", format!("{:.3} s", self.seconds_to_load))?;
        floor_lines(
            f,
            [self.gigaflop, self.floor_cpu_seconds, self.product_gigaflops_per_thread],
            self.share_of_floor,
        )?;
        memory(f, self.peak_memory_bytes)
    }
}

fn products(args: &BenchProducts) -> Result<()> {
    start_threads(args.threads)?;
    let threads = rayon::current_num_threads();
    let rates = rates();
    if args.json {
        let rate = |rate: &rnnsearch_kernels::Rate| json!({ "kind": rate.kind.to_string(), "shape": rate.shape, "gigaflops_per_thread": rate.per_thread / 1e9 });
        let rates: Vec<_> = rates.iter().map(rate).collect();
        return print(&(json!({ "threads": threads, "rates": rates }).to_string() + "\n"));
    }
    let mut text = format!("GFLOP/s a thread, {threads} at work\n");
    for rate in &rates {
        let [m, k, n] = rate.shape;
        writeln!(text, "{:<7} {m:>5} x {k:>4} x {n:<6} {:6.1}", rate.kind, rate.per_thread / 1e9)?;
    }
    print(&text)
}

/// The middle of several times, in seconds.
fn median(times: &mut [Duration]) -> f64 {
    times.sort();
    let middle = times.len() / 2;
    match times.len() % 2 {
        0 => (times[middle - 1] + times[middle]).as_secs_f64() / 2.0,
        _ => times[middle].as_secs_f64(),
    }
}

fn line(f: &mut std::fmt::Formatter<'_>, name: &str, value: impl std::fmt::Display) -> std::fmt::Result {
    writeln!(f, "{name:<20} {value}")
}

/// What the products alone would take: operations, seconds and rate, where they are known.
fn floor_lines(f: &mut std::fmt::Formatter<'_>, floor: [Option<f64>; 3], share: Option<f64>) -> std::fmt::Result {
    if let [Some(operations), Some(floor), Some(rate)] = floor {
        line(f, "its products", format!("{operations:.1} GFLOP, {floor:.3} CPU-s at {rate:.0} GFLOP/s a thread"))?;
    }
    share.map_or(Ok(()), |share| line(f, "share of that floor", format!("{:.0} %", 100.0 * share)))
}

fn memory(f: &mut std::fmt::Formatter<'_>, bytes: Option<u64>) -> std::fmt::Result {
    bytes.map_or(Ok(()), |bytes| line(f, "peak memory", format!("{:.0} MB", bytes as f64 / 1e6)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        let times = |times: &[u64]| times.iter().map(|&seconds| Duration::from_secs(seconds)).collect::<Vec<_>>();
        assert_eq!(median(&mut times(&[9, 1, 2])), 2.0);
        assert_eq!(median(&mut times(&[4, 1, 2, 9])), 3.0);
    }
}
