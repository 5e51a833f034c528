//! Validation: how well the model does on sentences it does not learn from.

use std::time::Instant;

use burn::prelude::*;
use rnnsearch_config::{BatchBy, Config, CorpusConfig};
use rnnsearch_corpus::{Batch as PaddedBatch, BatchPlan, Dataset, Pair, Pairs, Vocabularies};
use rnnsearch_decoder::{Batch, Objective, RnnSearch, Source};
use rnnsearch_inference::{Model, TranslateOptions, Translator};
use rnnsearch_metrics::{BleuOptions, ChrfOptions, Perplexity, bleu, chrf};

use crate::{Sample, TrainingError, ValidationReport};

/// The validation corpus, as text and as ids.
pub(crate) struct Validation {
    pairs: Vec<Pair>,
    dataset: Dataset,
    tag: Option<String>,
}

impl Validation {
    /// Reads the corpus. Blank lines count like any other.
    pub fn read(corpus: &CorpusConfig, vocabularies: &Vocabularies) -> Result<Self, TrainingError> {
        let pairs: Vec<Pair> = Pairs::open(std::slice::from_ref(corpus))?.collect::<Result<_, _>>()?;
        let dataset = Dataset::for_validation(&pairs, vocabularies, corpus)?;
        Ok(Self { pairs, dataset, tag: corpus.tag.clone() })
    }

    pub fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    /// Scores a model. What the report says of the update, the epoch and the best is filled in by the caller.
    pub fn run(
        &self,
        network: RnnSearch,
        config: &Config,
        vocabularies: &Vocabularies,
        device: &Device,
    ) -> Result<ValidationReport, TrainingError> {
        let begin = Instant::now();
        let loss = self.loss(&network, config, device)?;
        let model = Model::new(&network, config, vocabularies);
        let count = match config.validation.max_sentences {
            0 => self.pairs.len(),
            most => most.min(self.pairs.len()),
        };
        let sources: Vec<&str> = self.pairs[..count].iter().map(|pair| pair.source.as_str()).collect();
        let references: Vec<&str> = self.pairs[..count].iter().map(|pair| pair.target.as_str()).collect();
        let mut options = TranslateOptions::from(&config.translation);
        options.search.beam_size = config.validation.beam_size;
        options.search.scores = false;
        let translator = Translator::new(model, device).tagged(self.tag.as_deref())?;
        let translations = translator.translate(&sources, &options);
        let hypotheses: Vec<&str> =
            translations.iter().map(|translation| translation.candidates[0].text.as_str()).collect();
        let bleu = bleu(&hypotheses, &references, &BleuOptions::default())?;
        let chrf = chrf(&hypotheses, &references, &ChrfOptions::default())?;
        let samples = (0..config.validation.samples.min(count)).map(|i| Sample {
            source: sources[i].into(),
            reference: references[i].into(),
            translation: hypotheses[i].into(),
            alignment: translations[i].candidates[0].alignment.clone(),
        });
        Ok(ValidationReport {
            update: 0,
            epoch: 0,
            loss: loss.nats_per_token(),
            perplexity: loss.value(),
            bleu: bleu.score,
            bleu_signature: bleu.signature,
            chrf: chrf.score,
            chrf_signature: chrf.signature,
            best: false,
            seconds: begin.elapsed().as_secs_f64(),
            samples: samples.collect(),
        })
    }

    /// The cross-entropy of the references, unsmoothed.
    fn loss(&self, network: &RnnSearch, config: &Config, device: &Device) -> Result<Perplexity, TrainingError> {
        let (mut nats, mut tokens) = (0.0, 0);
        for indices in BatchPlan::by_length(&self.dataset, BatchBy::Sentences, 64).iter_from(0) {
            let batch = to_device(&PaddedBatch::new(&self.dataset, indices), device);
            nats +=
                f64::from(network.loss(&batch, &config.model, &Objective::default(), None).nats.into_scalar::<f32>());
            tokens += batch.target_tokens as u64;
        }
        Ok(Perplexity::new(nats, tokens)?)
    }
}

pub(crate) fn to_device(batch: &PaddedBatch, device: &Device) -> Batch {
    let source = Source::new(&batch.source.ids, &batch.source.lengths, device);
    Batch::new(source, &batch.target_in.ids, &batch.target_out.ids, &batch.target_out.lengths, device)
}
