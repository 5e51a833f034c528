//! Threads, devices and models, from the options that name them.

use std::num::NonZeroUsize;
use std::path::Path;

use anyhow::{Context, Result};
use rnnsearch_config::{Attention, TranslationConfig};
use rnnsearch_inference::{Model, TranslateOptions, Translator};
use rnnsearch_kernels::{Kernel, kernel_of};

use crate::args::{Compute, Search};
use crate::messages::Messages;

impl Compute {
    /// Limits the threads to those that were asked for. Comes before anything is computed.
    pub fn limit_threads(&self) -> Result<()> {
        limit_threads(self.threads)
    }

    /// What is computed with, in words.
    pub fn describe(&self, kernel: Kernel) -> String {
        format!("device {}, {kernel}, threads: {}", self.device, rayon::current_num_threads())
    }

    /// Reads a model and puts it to work.
    pub fn load(&self, model: &Path, messages: Messages) -> Result<Translator> {
        self.limit_threads()?;
        let device = self.device.open()?;
        messages.detail(self.describe(kernel_of(&device)));
        let translator = Translator::new(Model::load(model)?, &device);
        let data = &translator.config().data;
        messages.detail(format_args!(
            "model {}, {} to {}",
            model.display(),
            data.source_language,
            data.target_language
        ));
        Ok(translator)
    }
}

/// Limits the threads, where there is a limit. Comes before anything is computed: the pool is made once.
pub fn limit_threads(threads: Option<NonZeroUsize>) -> Result<()> {
    let Some(threads) = threads else { return Ok(()) };
    // SAFETY: no other thread runs yet that could read the environment.
    unsafe { std::env::set_var("MATMUL_NUM_THREADS", threads.to_string()) };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.get()).build_global();
    pool.with_context(|| format!("cannot start {threads} threads; use a smaller number with --threads"))
}

impl Search {
    /// The model's own settings, changed by the options that were given.
    pub fn options(&self, defaults: &TranslationConfig) -> TranslateOptions {
        let mut options = TranslateOptions::from(defaults);
        options.batch_size = self.batch.get();
        options.replace_unknown &= !self.no_replace_unknown;
        if let Some(beam) = self.beam {
            options.search.beam_size = beam.into();
        }
        if let Some(length_penalty) = self.length_penalty {
            options.search.length_penalty = length_penalty;
        }
        if let Some(max_ratio) = self.max_ratio {
            options.search.max_ratio = max_ratio;
        }
        options
    }

    /// How many lines are read ahead: enough to sort into batches of like length.
    pub fn window(&self) -> usize {
        8 * self.batch.get()
    }
}

/// Fails if the model has no attention, and so no alignments.
pub fn require_attention(translator: &Translator) -> Result<()> {
    anyhow::ensure!(
        translator.config().model.attention != Attention::None,
        "the model has no attention (its model.attention is \"none\"), and so no alignments: use a model trained with \
         model.attention = \"additive\""
    );
    Ok(())
}
