//! The training loop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use burn::module::Module;
use burn::prelude::*;
use rnnsearch_config::Config;
use rnnsearch_corpus::{Batch as PaddedBatch, BatchPlan, Dataset, Pairs, Vocabularies};
use rnnsearch_decoder::RnnSearch;
use rnnsearch_inference::Model;
use rnnsearch_kernels::{Kernel, can_multiply, keep_freed_buffers, kernel_of};
use serde_json::json;

use crate::checkpoint::{Checkpoint, Position};
use crate::learner::{Learner, clip};
use crate::optimizer::{Optimizer, Update};
use crate::tensorboard::Board;
use crate::validation::{Validation, merit, to_device};
use crate::{Observer, Prepared, Progress, RunFolder, TrainingError, ValidationReport};

/// After so many updates in a row whose loss or gradient is not finite, a training gives up.
const MAX_SKIPPED: u64 = 20;

/// How a training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All epochs or updates are done.
    Finished,
    /// Validation stopped getting better.
    EarlyStop,
    /// It was asked to stop; it can be resumed.
    Interrupted,
}

/// What a training came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// Updates done.
    pub update: u64,
    /// The best validation, if this process saw one.
    pub best: Option<ValidationReport>,
}

/// Trains the model that `config` describes, in a run folder, on a device.
///
/// The folder is changed only once all text is read and everything is ready for the first update.
///
/// When `stop` becomes true the training ends after the current update, with a checkpoint.
///
/// # Errors
///
/// If the text, the run folder or its checkpoints cannot be used, or nothing can be learned: see [`TrainingError`].
pub fn train(
    config: &Config,
    run: &mut RunFolder,
    device: &Device,
    observer: &mut dyn Observer,
    stop: &AtomicBool,
) -> Result<Outcome, TrainingError> {
    require_precision(config, device)?;
    keep_freed_buffers();
    let mut board = Board::new(observer, config.training.tensorboard.then(|| run.tensorboard()));
    let mut trainer = Trainer::prepare(config, run, device, &mut board)?;
    let ending = trainer.run(stop)?;
    Ok(Outcome { ending, update: trainer.position.update, best: trainer.best })
}

/// Fails if a device cannot multiply in the configuration's precision.
pub(crate) fn require_precision(config: &Config, device: &Device) -> Result<(), TrainingError> {
    match kernel_of(device) {
        _ if can_multiply(device, config.training.precision) => Ok(()),
        Kernel::Fused => Err(TrainingError::Precision("this processor")),
        Kernel::Plain => Err(TrainingError::Precision("the device")),
    }
}

struct Trainer<'a> {
    config: &'a Config,
    run: &'a RunFolder,
    /// The device without and with gradients.
    device: &'a Device,
    tracked: Device,
    observer: &'a mut dyn Observer,
    vocabularies: Vocabularies,
    dataset: Dataset,
    validation: Option<Validation>,
    learner: Learner,
    position: Position,
    best: Option<ValidationReport>,
    window: Window,
    skipped: u64,
    begin: (Instant, f64),
}

/// Sums over the updates since the last one told in the log.
struct Window {
    nats: f64,
    tokens: usize,
    begin: Instant,
}

impl Window {
    fn new() -> Self {
        Self { nats: 0.0, tokens: 0, begin: Instant::now() }
    }
}

impl<'a> Trainer<'a> {
    /// Reads text, learns or loads tokenizers, and makes the model or goes on with the one of the newest checkpoint. Only when all
    /// this has worked does the training begin in its folder.
    fn prepare(
        config: &'a Config,
        run: &'a mut RunFolder,
        device: &'a Device,
        observer: &'a mut dyn Observer,
    ) -> Result<Self, TrainingError> {
        let mut notes = Vec::new();
        let mut note = |observer: &mut dyn Observer, text: String| {
            observer.message(&text);
            notes.push(text);
        };
        let vocabularies = if run.is_resumed() && run.holds_tokenizers() {
            Vocabularies::load(run.path())?
        } else {
            let what = if config.tokenizer.joint { "a joint vocabulary" } else { "two vocabularies" };
            note(observer, format!("learning {what}"));
            Vocabularies::train(Pairs::open(&config.data.train)?, &config.tokenizer)?
        };
        let (dataset, report) = Dataset::for_training(Pairs::open(&config.data.train)?, &vocabularies, &config.data)?;
        note(observer, report.to_string());
        let validation =
            config.data.validation.as_ref().map(|corpus| Validation::read(corpus, &vocabularies)).transpose()?;
        if let Some(validation) = &validation {
            note(observer, format!("validation: {} pairs", validation.len()));
        }
        let tracked = device.clone().autodiff();
        let settings = Model::settings(config, &vocabularies);
        let (model, optimizer, position) = match resume(run, observer)? {
            Some((folder, checkpoint)) => {
                note(observer, format!("going on from update {}", checkpoint.position.update));
                let (model, state, position) = checkpoint.load_into(RnnSearch::blank(&settings, &tracked), &folder)?;
                (model, Optimizer::restore(&config.training.optimizer, state, device), position)
            }
            None => {
                let model = RnnSearch::new(&settings, config.training.seed, &tracked);
                (model, Optimizer::new(&config.training.optimizer), Position::default())
            }
        };
        run.begin(config, &vocabularies)?;
        notes.iter().try_for_each(|text| run.log(text))?;
        run.truncate_metrics(position.metrics_len)?;
        observer.prepared(&Prepared {
            update: position.update,
            pairs: dataset.len(),
            target_tokens: dataset.target_tokens(),
            parameters: model.num_params(),
            vocabularies: (settings.source_words, settings.target_words),
        });
        Ok(Self {
            config,
            run,
            device,
            tracked,
            observer,
            vocabularies,
            dataset,
            validation,
            learner: Learner::new(model, optimizer),
            position,
            best: None,
            window: Window::new(),
            skipped: 0,
            begin: (Instant::now(), 0.0),
        })
    }

    fn run(&mut self, stop: &AtomicBool) -> Result<Ending, TrainingError> {
        let ending = self.epochs(stop)?;
        if ending == Ending::Finished && self.position.validated_at != Some(self.position.update) {
            self.validate()?;
        }
        self.checkpoint()?;
        Ok(ending)
    }

    fn epochs(&mut self, stop: &AtomicBool) -> Result<Ending, TrainingError> {
        self.begin = (Instant::now(), self.fraction_done(None));
        while !self.is_finished() {
            let plan = BatchPlan::epoch(&self.dataset, &self.config.training, self.position.epoch);
            for indices in plan.iter_from(self.position.batch) {
                self.update(indices, plan.len())?;
                let last_of_epoch = self.position.batch == plan.len();
                if last_of_epoch {
                    self.position.epoch += 1;
                    self.position.batch = 0;
                }
                if self.is_due(self.config.training.validate_every, last_of_epoch) {
                    self.validate()?;
                    self.checkpoint_if(self.config.training.checkpoint_every == 0)?;
                }
                self.checkpoint_if(self.is_due(self.config.training.checkpoint_every, false))?;
                if stop.load(Ordering::Relaxed) {
                    return Ok(Ending::Interrupted);
                }
                let patience = self.config.training.patience;
                if patience > 0 && self.position.validations_since_best >= patience {
                    return Ok(Ending::EarlyStop);
                }
                if self.is_finished() {
                    break;
                }
            }
        }
        Ok(Ending::Finished)
    }

    /// Whether it is time for what happens every so many updates, or, where that is 0, at a given occasion.
    fn is_due(&self, every: u64, occasion: bool) -> bool {
        if every == 0 { occasion } else { self.position.update.is_multiple_of(every) }
    }

    fn is_finished(&self) -> bool {
        let training = &self.config.training;
        (training.max_epochs > 0 && self.position.epoch >= training.max_epochs)
            || (training.max_updates > 0 && self.position.update >= training.max_updates)
    }

    /// One update of the weights from one batch.
    fn update(&mut self, indices: &[u32], batches: usize) -> Result<(), TrainingError> {
        let training = &self.config.training;
        let batch = to_device(&PaddedBatch::new(&self.dataset, indices), &self.tracked);
        self.position.update += 1;
        self.position.batch += 1;
        let (nats, gradients) = self.learner.gradients(&batch, self.config, self.position.update);
        let norm = gradients.norm();
        if !nats.is_finite() || !norm.is_finite() {
            return self.skip(nats, norm);
        }
        self.skipped = 0;
        let rate =
            self.position.schedule.rate(&training.schedule, training.optimizer.learning_rate, self.position.update);
        self.learner.step(gradients, &Update { scale: clip(norm, training.clip_norm), learning_rate: rate });
        self.window.nats += nats;
        self.window.tokens += batch.target_tokens;
        self.tell_progress(batches, norm, rate)
    }

    /// Leaves out an update that would spoil the weights.
    fn skip(&mut self, nats: f64, norm: f64) -> Result<(), TrainingError> {
        self.skipped += 1;
        let update = self.position.update;
        let text = format!("update {update} is left out: its loss is {nats} and the length of its gradient {norm}");
        self.run.log(&text)?;
        self.observer.warning(&text);
        if self.skipped >= MAX_SKIPPED {
            Err(TrainingError::Diverged { updates: self.skipped, update })
        } else {
            Ok(())
        }
    }

    fn tell_progress(&mut self, batches: usize, gradient_norm: f64, learning_rate: f64) -> Result<(), TrainingError> {
        let seconds = self.window.begin.elapsed().as_secs_f64();
        let progress = Progress {
            update: self.position.update,
            epoch: self.position.epoch + 1,
            batch: self.position.batch,
            batches,
            loss: self.window.nats / self.window.tokens as f64,
            gradient_norm,
            learning_rate,
            tokens_per_second: self.window.tokens as f64 / seconds,
            remaining: self.remaining(batches),
            logged: self.position.update.is_multiple_of(self.config.training.log_every.max(1)),
        };
        self.observer.progress(&progress);
        if progress.logged {
            self.window = Window::new();
            self.run.log(&progress.to_string())?;
            let mut line = json!({ "kind": "training" });
            merge(&mut line, &progress);
            self.run.add_metrics(&line)?;
        }
        Ok(())
    }

    /// The share of the training that is done; `batches` are those of the current epoch.
    fn fraction_done(&self, batches: Option<usize>) -> f64 {
        let training = &self.config.training;
        let share = |done: f64, all: u64| if all > 0 { done / all as f64 } else { 0.0 };
        let within = batches.map_or(0.0, |batches| self.position.batch as f64 / batches as f64);
        share(self.position.update as f64, training.max_updates)
            .max(share(self.position.epoch as f64 + within, training.max_epochs))
    }

    fn remaining(&self, batches: usize) -> Option<Duration> {
        let (begin, fraction_then) = self.begin;
        let done = self.fraction_done(Some(batches));
        let made = done - fraction_then;
        (made > 0.0).then(|| begin.elapsed().mul_f64((1.0 - done).max(0.0) / made))
    }

    fn validate(&mut self) -> Result<(), TrainingError> {
        let begin = Instant::now();
        self.learner.settle();
        let better = match &self.validation {
            None => true,
            Some(validation) => {
                let network = self.learner.model().valid();
                let mut report = validation.run(network, self.config, &self.vocabularies, self.device)?;
                report.update = self.position.update;
                report.epoch = self.position.epoch + u64::from(self.position.batch > 0);
                let merit = merit(&report, self.config.validation.metric);
                report.best = self.position.best.is_none_or(|best| merit > best);
                if report.best {
                    self.position.best = Some(merit);
                    self.best = Some(report.clone());
                }
                self.tell_validation(&report)?;
                report.best
            }
        };
        self.position.validated_at = Some(self.position.update);
        self.position.validations_since_best = if better { 0 } else { self.position.validations_since_best + 1 };
        if self.validation.is_some() && self.position.schedule.validated(&self.config.training.schedule, better) {
            tell(self.run, self.observer, "no better for a while: the learning rate falls")?;
        }
        if better {
            self.save_model()?;
        }
        // What validation takes is no training time.
        self.window.begin += begin.elapsed();
        Ok(())
    }

    fn tell_validation(&mut self, report: &ValidationReport) -> Result<(), TrainingError> {
        self.observer.validated(report);
        self.run.log(&report.to_string())?;
        for sample in &report.samples {
            self.run.log(&sample.to_string())?;
        }
        let mut line = json!({ "kind": "validation" });
        merge(&mut line, report);
        self.run.add_metrics(&line)
    }

    fn save_model(&self) -> Result<(), TrainingError> {
        let model = Model::new(&self.learner.model().valid(), self.config, &self.vocabularies);
        Ok(model.save(&self.run.model())?)
    }

    fn checkpoint_if(&mut self, due: bool) -> Result<(), TrainingError> {
        if due { self.checkpoint() } else { Ok(()) }
    }

    fn checkpoint(&mut self) -> Result<(), TrainingError> {
        let begin = Instant::now();
        self.learner.settle();
        self.position.metrics_len = self.run.metrics_len();
        let checkpoint = Checkpoint::new(self.position.clone(), self.learner.model(), self.learner.optimizer_state());
        checkpoint.save(&self.run.checkpoints(), self.config.training.keep_checkpoints)?;
        self.window.begin += begin.elapsed();
        Ok(())
    }
}

fn resume(
    run: &RunFolder,
    observer: &mut dyn Observer,
) -> Result<Option<(std::path::PathBuf, Checkpoint)>, TrainingError> {
    if !run.is_resumed() {
        return Ok(None);
    }
    Checkpoint::newest(&run.checkpoints(), |warning| observer.warning(warning))
}

fn tell(run: &RunFolder, observer: &mut dyn Observer, text: &str) -> Result<(), TrainingError> {
    observer.message(text);
    run.log(text)
}

/// Adds the fields of a record to a JSON object.
fn merge(line: &mut serde_json::Value, record: &impl serde::Serialize) {
    if let (Some(line), Ok(serde_json::Value::Object(fields))) = (line.as_object_mut(), serde_json::to_value(record)) {
        line.extend(fields);
    }
}
