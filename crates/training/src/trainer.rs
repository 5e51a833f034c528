//! The training loop.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use burn::module::Module;
use burn::prelude::*;
use rnnsearch_config::{Config, Reading, TrainingConfig};
use rnnsearch_corpus::{Batch as PaddedBatch, BatchPlan, BpeDropout, Dataset, Vocabularies};
use rnnsearch_decoder::{Batch, ModelSettings, RnnSearch};
use rnnsearch_inference::Model;
use rnnsearch_kernels::{Kernel, keep_freed_buffers, kernel_of, precision_on};
use serde_json::json;

use crate::average::Average;
use crate::checkpoint::{Checkpoint, Occasion, Position, Window, prune};
use crate::exact::Exact;
use crate::gradients::Gradients;
use crate::learner::{Learner, Lesson, Losses, clip, objective};
use crate::memory::{Memory, available};
use crate::notes::Notes;
use crate::opposite::Opposite;
use crate::optimizer::{Optimizer, Update};
use crate::origin::first_network;
use crate::risk::{self, Costs};
use crate::state::Reached;
use crate::tensorboard::Board;
use crate::text::Text;
use crate::validation::{Validation, to_device};
use crate::{Best, Observer, Prepared, Progress, RunFolder, TrainingError, ValidationReport, disk};

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
    /// The best validation, if there was one.
    pub best: Option<Best>,
}

/// Trains the model that `config` describes, in a run folder, on a device.
///
/// The folder is changed only once all text is read and everything is ready for the first update.
///
/// A training that is stopped at any instant, be it by a power loss, and resumed, ends with the model and the metrics that it would have
/// had: everything follows from the settings and the newest checkpoint.
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
    Ok(Outcome { ending, update: trainer.position.update, best: trainer.position.best })
}

/// Fails if a device cannot multiply in the configuration's precision.
pub(crate) fn require_precision(config: &Config, device: &Device) -> Result<(), TrainingError> {
    let precision = config.training.precision;
    match (precision.needs(), precision_on(device, precision)) {
        (Some(instructions), None) => {
            let device = if kernel_of(device) == Kernel::Fused { "this processor" } else { "the device" };
            Err(TrainingError::Precision { precision, instructions, device })
        }
        _ => Ok(()),
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
    bpe_dropout: Option<BpeDropout>,
    opposite: Option<Opposite>,
    validation: Option<Validation>,
    learner: Learner,
    position: Position,
    pace: Pace,
    begin: (Instant, f64),
}

/// How many target tokens this process has seen since the last update told in the log.
struct Pace {
    tokens: usize,
    begin: Instant,
}

impl Pace {
    fn new() -> Self {
        Self { tokens: 0, begin: Instant::now() }
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
        let free = available().filter(|_| kernel_of(device) == Kernel::Fused);
        let mut notes = Notes { observer, lines: Vec::new() };
        let opposite = Opposite::load(config, device)?;
        let Text { vocabularies, dataset, validation, hash } = Text::read(config, run, &mut notes)?;
        opposite.as_ref().map_or(Ok(()), |opposite| opposite.check_tokens(&vocabularies))?;
        let agreed = opposite.as_ref().map(|opposite| opposite.hash().to_owned());
        let tracked = device.clone().autodiff();
        let settings = Model::settings(config, &vocabularies);
        let found = resume(run, &mut notes)?;
        let place = found.as_ref().map(|(folder, _)| folder.clone());
        let (learner, mut position) = match found {
            Some((folder, checkpoint)) if checkpoint.position.text != hash => {
                return Err(TrainingError::OtherText(folder));
            }
            Some((folder, checkpoint)) => {
                check_opposite(&checkpoint.position, opposite.as_ref(), &folder)?;
                notes.add(format!("going on from update {}", checkpoint.position.update));
                checkpoint.into_learner(RnnSearch::blank(&settings, &tracked), &config.training, &folder)?
            }
            None => (beginner(&settings, config, &vocabularies, &tracked)?, Position::start(hash, agreed.clone())),
        };
        position.opposite = agreed;
        let bpe_dropout = BpeDropout::new(&vocabularies, config.training.bpe_dropout);
        let plan = BatchPlan::epoch(&dataset, &config.training, position.epoch.max(config.training.curriculum.epochs));
        let parameters = learner.model().num_params();
        let memory = Memory::of(config, parameters, &dataset, &plan, bpe_dropout.as_ref())
            .beside(opposite.as_ref().map_or(0, Opposite::parameters));
        notes.detail(memory.to_string());
        notes.warn(free.and_then(|free| memory.warning(free)));
        run.begin(config, &vocabularies)?;
        if let Some(place) = place {
            prune(&run.checkpoints(), config.training.keep_checkpoints, &place, position.update)?;
        }
        let whole = run.truncate_metrics(position.metrics_len)?;
        notes.warn((!whole).then(|| "metrics.jsonl is shorter than it was: lines are missing".into()));
        let Notes { observer, lines } = notes;
        lines.iter().try_for_each(|line| run.log(line))?;
        observer.prepared(&Prepared {
            update: position.update,
            pairs: dataset.len(),
            target_tokens: dataset.target_tokens(),
            parameters: learner.model().num_params(),
            vocabularies: (settings.source_words, settings.target_words),
        });
        let mut trainer = Self {
            bpe_dropout,
            opposite,
            config,
            run,
            device,
            tracked,
            observer,
            vocabularies,
            dataset,
            validation,
            learner,
            position,
            pace: Pace::new(),
            begin: (Instant::now(), 0.0),
        };
        trainer.recover_model()?;
        Ok(trainer)
    }

    /// Makes the model file that of the checkpoint gone on from, where the process before may have been stopped before it could.
    fn recover_model(&mut self) -> Result<(), TrainingError> {
        if self.position.is_best {
            self.save_model()
        } else if self.position.best.is_some() && !self.run.model().is_file() {
            self.position.best = None;
            self.warn("the model file is gone: the next validation makes one, be it better or not")
        } else {
            Ok(())
        }
    }

    fn run(&mut self, stop: &AtomicBool) -> Result<Ending, TrainingError> {
        self.begin = (Instant::now(), self.fraction_done(None));
        if let Some(ending) = self.is_over() {
            // With other settings it may be over where it was to go on.
            let concluded = ending == Ending::EarlyStop || self.position.validated_at == Some(self.position.update);
            return if concluded { Ok(ending) } else { self.conclude(stop).map(|_| ending) };
        }
        loop {
            let plan = BatchPlan::epoch(&self.dataset, &self.config.training, self.position.epoch);
            let epoch = self.position.epoch;
            while self.position.epoch == epoch {
                if !self.update(&plan)? {
                    self.go_back()?;
                } else if let Some(ending) = self.conclude(stop)? {
                    return Ok(ending);
                }
            }
        }
    }

    /// What comes after an update: perhaps a validation, a checkpoint, the end.
    ///
    /// A checkpoint holds all that came of its update; and as the best validation always has one, the model file can be made again
    /// from it. So it does not matter where in here a process is stopped.
    fn conclude(&mut self, stop: &AtomicBool) -> Result<Option<Ending>, TrainingError> {
        let training = &self.config.training;
        let epoch_done = self.position.batch == 0;
        let validates = self.is_due(training.validate_every, epoch_done) || self.is_over() == Some(Ending::Finished);
        if validates {
            self.validate()?;
        }
        let over = self.is_over();
        // Weights that nothing finite comes of are not worth going on from.
        let usual = self.is_due(training.checkpoint_every, validates) && self.position.skipped == 0;
        let due = over.is_some() || self.position.is_best || usual;
        let stopped = stop.load(Ordering::Relaxed).then_some(Ending::Interrupted);
        if due {
            self.checkpoint(Occasion::Due)?;
        } else if stopped.is_some() {
            self.checkpoint(Occasion::Stopped)?;
        }
        if self.position.is_best {
            self.save_model()?;
        }
        Ok(over.or(stopped))
    }

    /// How the training has ended, if it has.
    fn is_over(&self) -> Option<Ending> {
        let Position { update, epoch, validations_since_best, .. } = self.position;
        Reached { update, epoch, validations_since_best }.ending(&self.config.training)
    }

    /// Whether it is time for what happens every so many updates, or, where that is 0, at a given occasion.
    fn is_due(&self, every: u64, occasion: bool) -> bool {
        if every == 0 { occasion } else { self.position.update.is_multiple_of(every) }
    }

    /// One update of the weights, from the next batch or batches of an epoch. Returns whether there is any point in going on from it.
    fn update(&mut self, plan: &BatchPlan) -> Result<bool, TrainingError> {
        let (config, position) = (self.config, &mut self.position);
        let training = &config.training;
        // With other settings an epoch may have fewer batches than it had when the checkpoint gone on from was written.
        position.batch = position.batch.min(plan.len() - 1);
        let batches = position.batch..plan.len().min(position.batch + training.accumulate);
        (position.update, position.batch, position.is_best) = (position.update + 1, batches.end, false);
        let (mut parts, mut tokens) = (Vec::new(), 0);
        for batch in batches {
            let (more, of_targets) = self.padded(plan, batch);
            parts.extend(more);
            tokens += of_targets;
        }
        let (tracked, opposite) = (&self.tracked, self.opposite.as_ref());
        let lessons = parts.into_iter().map(|(padded, costs)| {
            let batch = guided(to_device(&padded, tracked), &padded, training, tracked);
            let batch = match opposite {
                Some(opposite) => batch.agreeing(&opposite.alignments(&padded), tracked),
                None => batch,
            };
            Lesson { batch, costs }
        });
        let (objective, update) = (objective(training, self.position.epoch), self.position.update);
        let (losses, gradients) = self.learner.gradients(lessons, tokens, config, &objective, update);
        let norm = gradients.norm();
        if losses.is_finite() && norm.is_finite() {
            self.learn(gradients, norm, losses, tokens, plan.len())?;
        } else {
            self.skip(losses, norm)?;
        }
        self.learner.add_to_average(self.position.update);
        if self.position.batch == plan.len() {
            self.position.epoch += 1;
            self.position.batch = 0;
            if let Some(doubt) = self.position.doubts.epoch_done(self.position.epoch, self.config) {
                self.warn(&doubt)?;
            }
        }
        Ok(self.position.skipped < training.recovery.after)
    }

    /// A batch in parts that are worked through one after the other, with what their sentences cost where the risk of translations is
    /// learnt from; and the tokens of its targets.
    fn padded(&mut self, plan: &BatchPlan, batch: usize) -> (Vec<(PaddedBatch, Option<Costs>)>, usize) {
        let (training, update, indices) = (&self.config.training, self.position.update, plan.batch(batch));
        let number = (update, batch as u32);
        let drawn =
            self.bpe_dropout.as_ref().map(|dropout| dropout.draw(&self.dataset, indices, training.seed, number));
        let all = Vec::from_iter(0..indices.len() as u32);
        let (dataset, indices) = drawn.as_ref().map_or((&self.dataset, indices), |drawn| (drawn, &all));
        let tokens: usize = indices.iter().map(|&index| dataset.target_len(index)).sum();
        if training.minimum_risk.samples > 0 {
            self.learner.settle();
            let network = self.learner.model().clone().valid();
            let batches =
                risk::batches(network, (dataset, indices), self.config, &self.vocabularies, self.device, update);
            return (batches.into_iter().map(|(padded, costs)| (padded, Some(costs))).collect(), tokens);
        }
        let copies = training.copies();
        let parts = BatchPlan::parts(dataset, indices, training.max_batch_tokens.div_ceil(copies));
        let padded = parts.into_iter().map(|part| {
            let copied: Vec<u32> = part.iter().flat_map(|&index| std::iter::repeat_n(index, copies)).collect();
            (PaddedBatch::new(dataset, &copied), None)
        });
        (padded.collect(), copies * tokens)
    }

    /// Changes the weights.
    fn learn(
        &mut self,
        gradients: Gradients,
        norm: f64,
        losses: Losses,
        tokens: usize,
        batches: usize,
    ) -> Result<(), TrainingError> {
        let training = &self.config.training;
        self.position.skipped = 0;
        let rate =
            self.position.schedule.rate(&training.schedule, training.optimizer.learning_rate, self.position.update);
        let rate = self.position.slower * rate;
        let scale = clip(norm, training.clip_norm);
        self.position.doubts.updated(scale < 1.0);
        self.learner.step(gradients, &Update { scale, learning_rate: rate });
        self.position.window.add(losses, tokens);
        self.pace.tokens += tokens;
        self.tell_progress(batches, norm, rate)
    }

    /// Leaves out an update that would spoil the weights.
    fn skip(&mut self, losses: Losses, norm: f64) -> Result<(), TrainingError> {
        self.position.skipped += 1;
        let update = self.position.update;
        let nats = losses.nats + losses.alignment.unwrap_or(0.0) + losses.risk.unwrap_or(0.0);
        let text = format!("update {update} is left out: its loss is {nats} and the length of its gradient {norm}");
        self.warn(&text)
    }

    fn warn(&mut self, text: &str) -> Result<(), TrainingError> {
        self.observer.warning(text);
        self.run.log(text)
    }

    /// Goes back to the last checkpoint that something finite came of, with a lower learning rate.
    fn go_back(&mut self) -> Result<(), TrainingError> {
        let Position { update, skipped, recoveries, slower, best, validations_since_best, .. } = self.position;
        let opposite = self.position.opposite.clone();
        let recovery = &self.config.training.recovery;
        let diverged = TrainingError::Diverged { updates: skipped, update, recoveries };
        if recoveries >= recovery.attempts {
            return Err(diverged);
        }
        let (checkpoints, training) = (self.run.checkpoints(), &self.config.training);
        let settings = Model::settings(self.config, &self.vocabularies);
        let mut damaged = Vec::new();
        let found =
            Checkpoint::newest_before(&checkpoints, update - skipped, |warning| damaged.push(warning.to_owned()));
        damaged.iter().try_for_each(|warning| self.warn(warning))?;
        let (learner, position) = match found? {
            Some((folder, checkpoint)) => {
                checkpoint.into_learner(RnnSearch::blank(&settings, &self.tracked), training, &folder)?
            }
            None if Checkpoint::newest_before(&checkpoints, u64::MAX, |_| ())?.is_none() => (
                beginner(&settings, self.config, &self.vocabularies, &self.tracked)?,
                Position::start(self.position.text.clone(), None),
            ),
            None => return Err(diverged),
        };
        let slower = slower * recovery.factor;
        // The best model is still the best, wherever the training is, and as many validations were no better.
        let kept = Position { best, validations_since_best, is_best: false, opposite, ..position };
        self.position = Position { recoveries: recoveries + 1, slower, ..kept };
        self.learner = learner;
        let text = format!(
            "{skipped} updates in a row were left out: going back to update {}, with the learning rate times {slower}",
            self.position.update
        );
        self.warn(&text)?;
        self.observer.went_back(self.position.update);
        self.run.add_metrics(&json!({ "kind": "recovery", "update": self.position.update, "slower": slower }))?;
        // From here on whoever resumes is as wise.
        self.checkpoint(Occasion::Due)
    }

    fn tell_progress(&mut self, batches: usize, gradient_norm: f64, learning_rate: f64) -> Result<(), TrainingError> {
        let seconds = self.pace.begin.elapsed().as_secs_f64();
        let window = &self.position.window;
        let progress = Progress {
            update: self.position.update,
            epoch: self.position.epoch + 1,
            batch: self.position.batch,
            batches,
            loss: window.nats / window.tokens as f64,
            alignment_loss: window.alignment.map(|Exact(nats)| nats / window.tokens as f64),
            risk: window.risk.map(|Exact(risk)| risk / window.tokens as f64),
            gradient_norm,
            learning_rate,
            tokens_per_second: self.pace.tokens as f64 / seconds,
            remaining: self.remaining(batches),
            logged: self.position.update.is_multiple_of(self.config.training.log_every.max(1)),
        };
        self.observer.progress(&progress);
        if progress.logged {
            self.position.window = Window::default();
            self.pace = Pace::new();
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
                let mut report =
                    validation.run(self.learner.network(), self.config, &self.vocabularies, self.device)?;
                report.update = self.position.update;
                report.epoch = self.position.epoch + u64::from(self.position.batch > 0);
                let merit = |best: &Best| best.merit(self.config.validation.metric);
                let scores = Best::from(&report);
                report.best = self.position.best.is_none_or(|best| merit(&scores) > merit(&best));
                if report.best {
                    self.position.best = Some(scores);
                }
                self.tell_validation(&report)?;
                if let Some(doubt) = self.position.doubts.validated(report.loss) {
                    self.warn(&doubt)?;
                }
                report.best
            }
        };
        self.position.validated_at = Some(self.position.update);
        self.position.validations_since_best = if better { 0 } else { self.position.validations_since_best + 1 };
        if self.validation.is_some() && self.position.schedule.validated(&self.config.training.schedule, better) {
            tell(self.run, self.observer, "no better for a while: the learning rate falls")?;
        }
        self.position.is_best = better;
        // What validation takes is no training time.
        self.pace.begin += begin.elapsed();
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
        let model = Model::new(&self.learner.network(), self.config, &self.vocabularies);
        disk::replace(&self.run.model(), &model.to_bytes()?)
    }

    fn checkpoint(&mut self, occasion: Occasion) -> Result<(), TrainingError> {
        let begin = Instant::now();
        self.learner.settle();
        self.position.metrics_len = self.run.synced_metrics_len()?;
        let checkpoint = Checkpoint::new(self.position.clone(), &self.learner);
        checkpoint.save(&self.run.checkpoints(), self.config.training.keep_checkpoints, occasion)?;
        self.pace.begin += begin.elapsed();
        Ok(())
    }
}

/// A batch with what guided alignment teaches, if it teaches anything.
fn guided(batch: Batch, padded: &PaddedBatch, training: &TrainingConfig, device: &Device) -> Batch {
    let later = match training.alignment.read {
        Reading::Previous => 0,
        Reading::Next => 1,
    };
    match padded.guide(later, training.alignment.guide_unlinked).filter(|_| training.alignment.guided > 0.0) {
        Some(guide) => batch.guided(guide, device),
        None => batch,
    }
}

/// Fails if the model to agree with is not the one that a checkpoint was made with; one may be taken up, or left.
fn check_opposite(position: &Position, now: Option<&Opposite>, folder: &Path) -> Result<(), TrainingError> {
    match (now, &position.opposite) {
        (Some(now), Some(then)) if now.hash() != then => {
            Err(TrainingError::OtherOpposite { model: now.path().into(), checkpoint: folder.into() })
        }
        _ => Ok(()),
    }
}

fn resume(run: &RunFolder, notes: &mut Notes) -> Result<Option<(PathBuf, Checkpoint)>, TrainingError> {
    if !run.is_resumed() {
        return Ok(None);
    }
    match Checkpoint::newest(&run.checkpoints(), |warning| notes.warn(Some(warning.to_owned())))? {
        // Whoever goes on from nothing would replace it by a worse one.
        None if run.model().is_file() => Err(TrainingError::NoCheckpoint(run.path().into())),
        found => Ok(found),
    }
}

/// A learner before its first update.
fn beginner(
    settings: &ModelSettings,
    config: &Config,
    vocabularies: &Vocabularies,
    tracked: &Device,
) -> Result<Learner, TrainingError> {
    let training = &config.training;
    let network = first_network(settings, config, vocabularies, tracked)?;
    Ok(Learner::new(network, Optimizer::new(&training.optimizer), Average::of(training)))
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
