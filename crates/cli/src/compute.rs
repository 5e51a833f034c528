//! Threads, devices and models, from the options that name them.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, Result};
use rnnsearch_config::{Attention, TranslationConfig};
use rnnsearch_inference::{Model, TranslateOptions, Translator};
use rnnsearch_kernels::{Kernel, kernel_of};

use crate::args::{Compute, Search};
use crate::messages::Messages;

impl Compute {
    /// Starts the threads that were asked for. Comes before anything is computed.
    pub fn start_threads(&self) -> Result<()> {
        start_threads(self.threads)
    }

    /// What is computed with, in words.
    pub fn describe(&self, kernel: Kernel) -> String {
        format!("device {}, {kernel}, threads: {}", self.device, rayon::current_num_threads())
    }

    /// Reads a model and puts it to work, together with others.
    pub fn load(&self, model: &Path, others: &[PathBuf], messages: Messages) -> Result<Translator> {
        self.start_threads()?;
        let device = self.device.open()?;
        messages.detail(self.describe(kernel_of(&device)));
        let paths = [model].into_iter().chain(others.iter().map(PathBuf::as_path));
        let models: Vec<Model> = paths.map(Model::load).collect::<Result<_, _>>()?;
        let stranger = (1..models.len()).find(|&other| !models[0].has_vocabularies_of(&models[other]));
        if let Some(other) = stranger {
            anyhow::bail!(
                "`{}` and `{}` have other vocabularies: an ensemble is of models whose training had the same text and the same \
                 [tokenizer] section, with other seeds for example",
                model.display(),
                others[other - 1].display()
            );
        }
        let translator = Translator::ensemble(models, &device);
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

/// Starts the threads that compute, as many as are asked for or one a processor. Comes before anything is computed; only
/// the first call counts.
///
/// The caller is one of them: what it computes itself it need not hand over, and wait for, a hundred times an update. So no
/// other thread may hand work to them while the caller waits for that thread.
pub fn start_threads(threads: Option<NonZeroUsize>) -> Result<()> {
    static STARTED: OnceLock<()> = OnceLock::new();
    if STARTED.set(()).is_err() {
        return Ok(());
    }
    if let Some(threads) = threads {
        // SAFETY: no other thread runs yet that could read the environment.
        unsafe { std::env::set_var("MATMUL_NUM_THREADS", threads.to_string()) };
    }
    let count = threads.map_or(0, NonZeroUsize::get);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(count).use_current_thread().build_global();
    pool.with_context(|| match threads {
        Some(threads) => format!("cannot start {threads} threads; use a smaller number with --threads"),
        None => "cannot start a thread for each processor; ask for fewer with --threads".into(),
    })
}

impl Search {
    /// The model's own settings, changed by the options that were given.
    pub fn options(&self, defaults: &TranslationConfig) -> TranslateOptions {
        let mut options = TranslateOptions::from(defaults);
        options.batch_size = self.batch.get();
        options.replace_unknown &= !self.no_replace_unknown;
        options.search.shortlist = !self.no_shortlist;
        if let Some(beam) = self.beam {
            options.search.beam_size = beam.into();
        }
        if let Some(length_penalty) = self.length_penalty {
            options.search.ranking.length_penalty = length_penalty;
        }
        if let Some(length_form) = self.length_form {
            options.search.ranking.length_form = length_form;
        }
        if let Some(word_reward) = self.word_reward {
            options.search.ranking.word_reward = word_reward;
        }
        if let Some(coverage_penalty) = self.coverage_penalty {
            options.search.ranking.coverage_penalty = coverage_penalty;
        }
        if let Some(stop) = self.stop {
            options.search.stop = stop;
        }
        if let Some(no_repeat_ngram) = self.no_repeat_ngram {
            options.search.no_repeat_ngram = no_repeat_ngram.into();
        }
        if let Some(max_ratio) = self.max_ratio {
            options.search.max_ratio = max_ratio;
        }
        if let Some(max_extra) = self.max_extra {
            options.search.max_extra = max_extra as usize;
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
