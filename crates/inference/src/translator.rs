//! Text in, translations out.

use std::ops::Range;
use std::slice;
use std::sync::{Mutex, PoisonError};

use burn::prelude::*;
use rnnsearch_alignment::{Alignment, Sentence, Token};
use rnnsearch_config::{Config, TranslationConfig};
use rnnsearch_corpus::{Decoded, EOS, Encoded, UNK, Vocabularies};

use crate::decoding::Engine;
use crate::forced::force;
use crate::search::{Watch, search, search_watched};
use crate::split::split;
use crate::{Constraints, Forced, Hypothesis, Model, Ranking, SearchOptions, Utility};

/// A model, ready to translate on a device.
#[derive(Debug)]
pub struct Translator {
    config: Config,
    vocabularies: Vocabularies,
    engine: Engine,
}

/// How to translate.
#[derive(Clone, Debug, PartialEq)]
pub struct TranslateOptions {
    /// How to search.
    pub search: SearchOptions,
    /// Rank what was found by how much it agrees, instead of by score.
    pub consensus: Option<Utility>,
    /// Sentences that are translated together.
    pub batch_size: usize,
    /// Sources with more tokens than this are translated in pieces, cut between sentences where there are any.
    pub max_source_length: usize,
    /// Whether an unknown word is replaced by the source word it looked at most.
    pub replace_unknown: bool,
}

impl From<&TranslationConfig> for TranslateOptions {
    fn from(config: &TranslationConfig) -> Self {
        Self {
            search: SearchOptions {
                beam_size: config.beam_size,
                n_best: 1,
                ranking: Ranking::from(config),
                stop: config.stop,
                max_ratio: config.max_ratio,
                max_extra: config.max_extra,
                no_repeat_ngram: config.no_repeat_ngram,
                sampling: None,
                shortlist: true,
            },
            consensus: None,
            batch_size: 64,
            max_source_length: config.max_source_length,
            replace_unknown: config.replace_unknown,
        }
    }
}

/// The translations of one source text.
#[derive(Clone, Debug)]
pub struct Translation {
    /// The source text as it was given.
    pub source: String,
    /// The number of pieces it was translated in: more than one if it was too long, none if it is blank.
    pub pieces: usize,
    /// Its translations, best first; at least one.
    pub candidates: Vec<Candidate>,
}

/// One translation.
#[derive(Clone, Debug, Default)]
pub struct Candidate {
    /// The text.
    pub text: String,
    /// What the model wrote: sub-words or words, without `</s>`.
    pub tokens: Vec<String>,
    /// log p of the text.
    pub log_prob: f64,
    /// How much of the source was looked at, see [`coverage_of`](crate::coverage_of).
    pub coverage: f64,
    /// By which candidates are ranked, see [`Ranking`].
    pub score: f64,
    /// The number of its tokens, `</s>` included.
    pub length: usize,
    /// Whether the model ended it; if not, its length was used up.
    pub finished: bool,
    /// Which source token each target token looked at; none for blank text, and in a model without attention.
    pub alignment: Option<Alignment>,
}

/// A source text, and what its translation must be like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The source text.
    pub text: String,
    /// How the translation begins; empty for any way.
    pub prefix: String,
    /// Phrases that must not come in it, as the model's tokens.
    pub forbidden: Vec<String>,
}

impl<S: AsRef<str>> From<S> for Request {
    fn from(text: S) -> Self {
        Self { text: text.as_ref().into(), ..Self::default() }
    }
}

/// A piece of a source text that is translated at once.
struct Piece {
    text: usize,
    span: Range<usize>,
    encoded: Encoded,
    ids: Vec<u32>,
    constraints: Constraints,
}

impl Translator {
    /// Puts a model to work on a device.
    pub fn new(model: Model, device: &Device) -> Self {
        Self::ensemble(vec![model], device)
    }

    /// Puts models to work together: log p of a word is the mean of theirs, and so are alignments. Settings are the first one's.
    ///
    /// # Panics
    ///
    /// If there is no model, or [`Model::has_vocabularies_of`] is false for one and the first.
    pub fn ensemble(models: Vec<Model>, device: &Device) -> Self {
        assert!(
            models[1..].iter().all(|model| models[0].has_vocabularies_of(model)),
            "models have the same vocabularies"
        );
        let engine = Engine::new(&models, device);
        let Model { config, vocabularies, .. } = models.into_iter().next().expect("there is a model");
        Self { config, vocabularies, engine }
    }

    /// The settings of the model.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// How text becomes ids and back.
    pub fn vocabularies(&self) -> &Vocabularies {
        &self.vocabularies
    }

    /// Translates texts. A blank text has a blank translation.
    pub fn translate<S: AsRef<str>>(&self, texts: &[S], options: &TranslateOptions) -> Vec<Translation> {
        let requests: Vec<Request> = texts.iter().map(Request::from).collect();
        self.translate_as(&requests, options)
    }

    /// Translates texts so that what was asked of each is met. Where a text is too long to be translated at once, its prefix is
    /// that of the first piece.
    pub fn translate_as(&self, requests: &[Request], options: &TranslateOptions) -> Vec<Translation> {
        self.translate_with(requests, options, None)
    }

    /// Translates one text, and gives `watch` the best unfinished translation after every step of the search. A text that is
    /// too long to be translated at once is not watched.
    pub fn translate_watched(
        &self,
        request: &Request,
        options: &TranslateOptions,
        watch: &mut (dyn FnMut(&str) + Send),
    ) -> Translation {
        // The search runs on a thread of its own.
        let watch = Mutex::new(watch);
        let show = |words: &[u32]| {
            let text = self.vocabularies.target.decode(words);
            // The last character may lack bytes that are still to come.
            watch.lock().unwrap_or_else(PoisonError::into_inner)(text.trim_end_matches('\u{fffd}').trim());
        };
        self.translate_with(slice::from_ref(request), options, Some(&show)).remove(0)
    }

    fn translate_with(
        &self,
        requests: &[Request],
        options: &TranslateOptions,
        watch: Option<&Watch>,
    ) -> Vec<Translation> {
        let mut options = options.clone();
        options.search.n_best = options.search.n_best.max(1);
        options.search.beam_size = options.search.beam_size.max(options.search.n_best);
        let pieces = self.pieces(requests, options.max_source_length);
        let mut candidates: Vec<Vec<Candidate>> = vec![Vec::new(); pieces.len()];
        // Sentences of like length together need little padding, and the result does not depend on the company.
        let mut order: Vec<usize> = (0..pieces.len()).collect();
        order.sort_by_key(|&piece| (pieces[piece].ids.len(), piece));
        for batch in order.chunks(options.batch_size.max(1)) {
            let sources: Vec<&[u32]> = batch.iter().map(|&piece| pieces[piece].ids.as_slice()).collect();
            let constraints: Vec<&Constraints> = batch.iter().map(|&piece| &pieces[piece].constraints).collect();
            let found = match watch {
                Some(watch) if pieces.len() == 1 => {
                    vec![search_watched(&self.engine, sources[0], constraints[0], &options.search, watch)]
                }
                _ => search(&self.engine, &sources, &constraints, &options.search),
            };
            for (&piece, hypotheses) in batch.iter().zip(found) {
                let source = &requests[pieces[piece].text].text[pieces[piece].span.clone()];
                candidates[piece] = self.candidates(source, &pieces[piece].encoded, &hypotheses, &options);
            }
        }
        self.assemble(requests, &pieces, candidates, &options)
    }

    /// The best hypotheses as text, as many as are wanted.
    fn candidates(
        &self,
        source: &str,
        encoded: &Encoded,
        hypotheses: &[Hypothesis],
        options: &TranslateOptions,
    ) -> Vec<Candidate> {
        let candidate = |hypothesis| self.candidate(source, encoded, hypothesis, options.replace_unknown);
        let n_best = options.search.n_best;
        let Some(utility) = options.consensus else { return hypotheses.iter().take(n_best).map(candidate).collect() };
        let all: Vec<Candidate> = hypotheses.iter().map(candidate).collect();
        let texts: Vec<&str> = all.iter().map(|candidate| candidate.text.as_str()).collect();
        utility.order(&texts).into_iter().take(n_best).map(|place| all[place].clone()).collect()
    }

    /// Says what the model thinks of given pairs (source, target), and how it aligns them.
    pub fn force<S: AsRef<str>, T: AsRef<str>>(
        &self,
        pairs: &[(S, T)],
        batch_size: usize,
    ) -> Vec<(Forced, Option<Alignment>)> {
        let encoded: Vec<(Encoded, Encoded)> = pairs
            .iter()
            .map(|(source, target)| {
                let vocabularies = &self.vocabularies;
                (vocabularies.source.encode(source.as_ref()), vocabularies.target.encode(target.as_ref()))
            })
            .collect();
        let ids: Vec<(Vec<u32>, Vec<u32>)> =
            encoded.iter().map(|(source, target)| (ended(&source.ids), ended(&target.ids))).collect();
        let mut order: Vec<usize> = (0..pairs.len()).collect();
        order.sort_by_key(|&pair| (ids[pair].0.len(), ids[pair].1.len(), pair));
        let mut results: Vec<(Forced, Option<Alignment>)> = vec![Default::default(); pairs.len()];
        for batch in order.chunks(batch_size.max(1)) {
            let chosen: Vec<(&[u32], &[u32])> =
                batch.iter().map(|&pair| (ids[pair].0.as_slice(), ids[pair].1.as_slice())).collect();
            let forced = force(&self.engine, &chosen);
            for (&pair, forced) in batch.iter().zip(forced) {
                let (source, target) = &encoded[pair];
                let (source_text, target_text) = (pairs[pair].0.as_ref(), pairs[pair].1.as_ref());
                let target = sentence(target_text, &target.tokens, &target.spans, true);
                let alignment =
                    align(sentence(source_text, &source.tokens, &source.spans, true), target, &forced.alignment);
                results[pair] = (forced, alignment);
            }
        }
        results
    }

    /// What a request asks for in the model's words.
    fn constraints(&self, request: &Request) -> Constraints {
        let words = |text: &String| self.vocabularies.target.encode(text).ids;
        let prefix = if request.prefix.trim().is_empty() { Vec::new() } else { words(&request.prefix) };
        let forbidden = request.forbidden.iter().filter(|phrase| !phrase.trim().is_empty()).map(words).collect();
        Constraints { prefix, forbidden }
    }

    fn pieces(&self, requests: &[Request], max_source_length: usize) -> Vec<Piece> {
        let tokenizer = &self.vocabularies.source;
        let mut pieces = Vec::new();
        for (text, request) in requests.iter().enumerate() {
            let (whole, mut constraints) = (request.text.as_str(), self.constraints(request));
            if whole.trim().is_empty() {
                continue;
            }
            let encoded = tokenizer.encode(whole);
            if encoded.ids.len() <= max_source_length {
                pieces.push(Piece { text, span: 0..whole.len(), ids: ended(&encoded.ids), encoded, constraints });
                continue;
            }
            for span in split(whole, &encoded, max_source_length, &self.config.data.source_language) {
                let encoded = tokenizer.encode(&whole[span.clone()]);
                let others = Constraints { prefix: Vec::new(), ..constraints.clone() };
                pieces.push(Piece { text, span, ids: ended(&encoded.ids), encoded, constraints });
                constraints = others;
            }
        }
        pieces
    }

    fn candidate(&self, source: &str, encoded: &Encoded, hypothesis: &Hypothesis, replace_unknown: bool) -> Candidate {
        let tokenizer = &self.vocabularies.target;
        let looked_at = |position: usize| {
            let row = hypothesis.alignment.get(position)?;
            let weights = &row[..encoded.spans.len().min(row.len())];
            let best = (0..weights.len()).max_by(|&a, &b| weights[a].total_cmp(&weights[b]).then(b.cmp(&a)))?;
            Some(source[encoded.spans[best].clone()].trim())
        };
        let decoded = tokenizer.decode_replacing(&hypothesis.ids, |position| {
            looked_at(position).filter(|_| replace_unknown && hypothesis.ids[position] == UNK)
        });
        let Decoded { text, spans } = trimmed(decoded);
        let tokens: Vec<String> = hypothesis.ids.iter().map(|&id| tokenizer.token(id).unwrap_or_default()).collect();
        let target = sentence(&text, &tokens, &spans, hypothesis.finished);
        let alignment = align(sentence(source, &encoded.tokens, &encoded.spans, true), target, &hypothesis.alignment);
        Candidate {
            text,
            tokens,
            log_prob: hypothesis.log_prob,
            coverage: hypothesis.coverage,
            score: hypothesis.score,
            length: hypothesis.token_log_probs.len(),
            finished: hypothesis.finished,
            alignment,
        }
    }

    /// Gives every text its candidates, joining those of its pieces.
    fn assemble(
        &self,
        requests: &[Request],
        pieces: &[Piece],
        candidates: Vec<Vec<Candidate>>,
        options: &TranslateOptions,
    ) -> Vec<Translation> {
        let mut of_text: Vec<Vec<(usize, Vec<Candidate>)>> = vec![Vec::new(); requests.len()];
        for (piece, candidates) in pieces.iter().zip(candidates) {
            of_text[piece.text].push((piece.span.start, candidates));
        }
        let join = |(request, mut parts): (&Request, Vec<(usize, Vec<Candidate>)>)| {
            let pieces = parts.len();
            let candidates = match pieces {
                0 => vec![Candidate { finished: true, ..Candidate::default() }],
                1 => parts.remove(0).1,
                _ => crate::join::join(&request.text, &parts, &options.search.ranking),
            };
            Translation { source: request.text.clone(), pieces, candidates }
        };
        requests.iter().zip(of_text).map(join).collect()
    }
}

/// A text without blanks at its ends, whatever its first token was.
fn trimmed(decoded: Decoded) -> Decoded {
    let leading = decoded.text.len() - decoded.text.trim_start().len();
    let text = decoded.text.trim().to_owned();
    let inside = |byte: usize| byte.saturating_sub(leading).min(text.len());
    let spans = decoded.spans.iter().map(|span| inside(span.start)..inside(span.end)).collect();
    Decoded { spans, text }
}

fn ended(ids: &[u32]) -> Vec<u32> {
    ids.iter().copied().chain([EOS]).collect()
}

fn sentence(text: &str, tokens: &[String], spans: &[Range<usize>], end: bool) -> Sentence {
    let tokens = tokens.iter().zip(spans).map(|(token, span)| Token::new(token.as_str(), span.clone()));
    let tokens = tokens.chain(end.then(Token::end)).collect();
    Sentence::new(text, tokens).expect("a tokenizer's spans are within the text")
}

fn align(source: Sentence, target: Sentence, rows: &[Vec<f32>]) -> Option<Alignment> {
    if rows.is_empty() {
        return None;
    }
    Some(Alignment::new(source, target, rows.concat()).expect("a row a target token, a weight a source token"))
}
