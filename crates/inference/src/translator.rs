//! Text in, translations out.

use std::ops::Range;
use std::slice;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use burn::prelude::*;
use rnnsearch_alignment::{Alignment, Link, Segmentation, Sentence, Token};
use rnnsearch_config::{Attention, Config, Reading, TranslationConfig};
use rnnsearch_corpus::{Decoded, EOS, Encoded, UNK, Vocabularies};

use crate::consensus::order;
use crate::decoding::Engine;
use crate::forbidden::Forbidden;
use crate::forced::{force, without_tag};
use crate::required::{Phrase, Required};
use crate::search::{Watch, search, search_watched};
use crate::split::split;
use crate::steering::Steering;
use crate::units::{Units, spell, tidy};
use crate::{
    Constraints, Forced, Form, Hypothesis, InferenceError, Model, Ranking, RequestError, SearchOptions, Utility,
};

/// A model, ready to translate on a device.
#[derive(Debug)]
pub struct Translator {
    config: Config,
    vocabularies: Vocabularies,
    form: Form,
    /// Made when first they are needed.
    units: OnceLock<Arc<Units>>,
    engine: Engine,
    /// The token before every source.
    tag: Option<u32>,
    /// The tags of a joint vocabulary: they are for sources alone.
    unwritten: Vec<u32>,
    /// A kind of attention among those of the models that does not follow links.
    not_steerable: Option<Attention>,
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
                diversity: None,
                shortlist: true,
                scores: true,
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
    /// Which source token each target token looked at, as the model was taught to tell ([`Reading`]); none for blank text, and in a model
    /// without attention.
    pub alignment: Option<Alignment>,
}

/// A source text, and what its translation must be like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The source text.
    pub text: String,
    /// How the translation begins; empty for any way.
    pub prefix: String,
    /// Phrases that must not come in it, as words of the text.
    pub forbidden: Vec<String>,
    /// Phrases that must come in it, as words of the text.
    pub required: Vec<Demand>,
    /// Links that the alignment must have: a target word that has any looks at these source words alone. Words are counted from 0 as
    /// blanks separate them.
    pub pinned: Vec<Link>,
    /// Links that it must not have.
    pub avoided: Vec<Link>,
}

/// A phrase that must come in a translation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// The phrase; of several any one.
    pub alternatives: Vec<String>,
    /// The byte of the source text where that stands which it translates, if this is known.
    pub place: Option<usize>,
}

impl<S: AsRef<str>> From<S> for Demand {
    fn from(phrase: S) -> Self {
        Self { alternatives: vec![phrase.as_ref().into()], place: None }
    }
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
        let (engine, form) = (Engine::new(&models, device), models[0].form());
        models.iter().for_each(Model::give_back);
        let mut kinds = models.iter().map(|model| model.config.model.attention);
        let not_steerable = kinds.find(|kind| *kind != Attention::None && !kind.can_be_steered());
        let Model { config, vocabularies, .. } = models.into_iter().next().expect("there is a model");
        let target = &vocabularies.target;
        let unwritten = (0..target.vocab_size() as u32).filter(|&id| target.is_tag(id)).collect();
        Self { config, vocabularies, form, units: OnceLock::new(), engine, tag: None, unwritten, not_steerable }
    }

    /// The same, with a tag before every source: the name of a kind of text, as `tag` of its training corpora says. Alignments do not show
    /// it; what looks at it counts as looking at the end of the source.
    ///
    /// # Errors
    ///
    /// If the model has no such tag.
    pub fn tagged(mut self, tag: Option<&str>) -> Result<Self, InferenceError> {
        let source = &self.vocabularies.source;
        let unknown = |tag: &str| InferenceError::UnknownTag { tag: tag.into(), known: source.tags() };
        self.tag = tag.map(|tag| source.tag(tag).ok_or_else(|| unknown(tag))).transpose()?;
        Ok(self)
    }

    /// A source as the model reads it.
    fn read(&self, ids: &[u32]) -> Vec<u32> {
        self.tag.iter().chain(ids).copied().chain([EOS]).collect()
    }

    /// The settings of the model.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The form of the first model's matrices.
    pub fn form(&self) -> Form {
        self.form
    }

    /// Additions and multiplications of all matrix products so far; none where tensor operations serve, which are not counted.
    pub fn operations(&self) -> Option<u64> {
        self.engine.operations()
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

    /// Says what is wrong with a request; one that is not checked may be met in part.
    ///
    /// # Errors
    ///
    /// Phrases that cannot be required, each named.
    pub fn check(&self, request: &Request, options: &TranslateOptions) -> Result<(), RequestError> {
        let phrases: Vec<Phrase> = self.phrases(request).map(|(_, phrase)| phrase).collect::<Result<_, _>>()?;
        if !phrases.is_empty() && request.text.trim().is_empty() {
            return Err(RequestError::Blank);
        }
        if !phrases.is_empty() && options.search.sampling.is_some() {
            return Err(RequestError::Sampled);
        }
        self.check_links(request, options)?;
        let required = self.required(phrases);
        if required.is_empty() {
            return Ok(());
        }
        let contradicts = |phrase: &&String| required.must_write(&self.forbidden(slice::from_ref(phrase)));
        match request.forbidden.iter().find(contradicts) {
            Some(phrase) => Err(RequestError::Contradiction { phrase: phrase.clone() }),
            None => Ok(()),
        }
    }

    fn check_links(&self, request: &Request, options: &TranslateOptions) -> Result<(), RequestError> {
        let Request { text, pinned, avoided, .. } = request;
        if pinned.is_empty() && avoided.is_empty() {
            return Ok(());
        }
        let words = text.split_whitespace().count();
        if let Some(link) = pinned.iter().chain(avoided).find(|link| link.source >= words) {
            return Err(RequestError::NoSuchWord { word: link.source, words });
        }
        if let Some(Link { source, target }) = pinned.iter().find(|link| avoided.contains(link)) {
            return Err(RequestError::PinnedAndAvoided { source_word: *source, target_word: *target });
        }
        if options.search.sampling.is_some() {
            return Err(RequestError::Sampled);
        }
        if self.config.model.attention == Attention::None {
            return Err(RequestError::NoAttention);
        }
        if self.reading() == Reading::Next {
            return Err(RequestError::ReadLater);
        }
        if let Some(kind) = self.not_steerable {
            return Err(RequestError::NotSteerable { kind: serde_json::json!(kind).to_string() });
        }
        let (tokens, limit) = (self.vocabularies.source.encode_ids(text).len(), options.max_source_length);
        if tokens > limit { Err(RequestError::LinksInPieces { tokens, limit }) } else { Ok(()) }
    }

    /// Where the words of a text's translation must look.
    fn steering(&self, request: &Request, encoded: &Encoded) -> Steering {
        let Request { text, pinned, avoided, .. } = request;
        if pinned.is_empty() && avoided.is_empty() {
            return Steering::default();
        }
        let source = sentence(text, &encoded.tokens, &encoded.spans, false);
        let words = source.words(Segmentation::Whitespace);
        // The blanks before a token are not part of a word.
        let visible = |span: &Range<usize>| span.end - text[span.clone()].trim_start().len()..span.end;
        let tokens: Vec<Range<usize>> =
            source.tokens().iter().filter_map(Token::span).map(|span| visible(&span)).collect();
        let steering = Steering::new((pinned, avoided), &words, &tokens, self.units());
        if self.tag.is_some() { steering.behind_tag() } else { steering }
    }

    /// Translates texts so that what was asked of each is met. Where a text is too long to be translated at once, its prefix is
    /// that of the first piece; phrases that must come are asked of the piece that holds their place in the source, and
    /// those without a place of the pieces in turn: the first of them of the first piece.
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
        order(utility, &texts).into_iter().take(n_best).map(|place| all[place].clone()).collect()
    }

    /// The words of translations that a search finds for sources, each a non-empty list of ids that ends with `</s>`; those alone that the
    /// model ended, each with its `</s>`.
    pub fn search_ids(&self, sources: &[&[u32]], options: &SearchOptions) -> Vec<Vec<Vec<u32>>> {
        let free = self.free();
        let found = search(&self.engine, sources, &vec![&free; sources.len()], options);
        let ended =
            |hypothesis: Hypothesis| hypothesis.finished.then(|| hypothesis.ids.iter().copied().chain([EOS]).collect());
        found.into_iter().map(|hypotheses| hypotheses.into_iter().filter_map(ended).collect()).collect()
    }

    /// The constraints of every translation.
    fn free(&self) -> Constraints {
        Constraints { unwritten: self.unwritten.clone(), ..Constraints::default() }
    }

    /// At which step the model was taught to tell where a word looks.
    fn reading(&self) -> Reading {
        self.config.training.alignment.read
    }

    /// Says what the model thinks of given pairs (source, target), and how it aligns them: as it was taught to tell ([`Reading`]).
    pub fn force<S: AsRef<str>, T: AsRef<str>>(
        &self,
        pairs: &[(S, T)],
        batch_size: usize,
    ) -> Vec<(Forced, Option<Alignment>)> {
        self.force_reading(pairs, batch_size, self.reading())
    }

    /// As [`force`](Self::force), with alignments told by a step of one's choice, whatever the model was taught.
    pub fn force_reading<S: AsRef<str>, T: AsRef<str>>(
        &self,
        pairs: &[(S, T)],
        batch_size: usize,
        reading: Reading,
    ) -> Vec<(Forced, Option<Alignment>)> {
        let encoded: Vec<(Encoded, Encoded)> = pairs
            .iter()
            .map(|(source, target)| {
                let vocabularies = &self.vocabularies;
                (vocabularies.source.encode(source.as_ref()), vocabularies.target.encode(target.as_ref()))
            })
            .collect();
        let ids: Vec<(Vec<u32>, Vec<u32>)> =
            encoded.iter().map(|(source, target)| (self.read(&source.ids), ended(&target.ids))).collect();
        let mut order: Vec<usize> = (0..pairs.len()).collect();
        order.sort_by_key(|&pair| (ids[pair].0.len(), ids[pair].1.len(), pair));
        let mut results: Vec<(Forced, Option<Alignment>)> = vec![Default::default(); pairs.len()];
        for batch in order.chunks(batch_size.max(1)) {
            let chosen: Vec<(&[u32], &[u32])> =
                batch.iter().map(|&pair| (ids[pair].0.as_slice(), ids[pair].1.as_slice())).collect();
            let forced = force(&self.engine, &chosen);
            for (&pair, mut forced) in batch.iter().zip(forced) {
                if self.tag.is_some() {
                    forced.alignment = without_tag(forced.alignment);
                }
                let (source, target) = &encoded[pair];
                let (source_text, target_text) = (pairs[pair].0.as_ref(), pairs[pair].1.as_ref());
                let target = sentence(target_text, &target.tokens, &target.spans, true);
                let source = sentence(source_text, &source.tokens, &source.spans, true);
                let alignment = align(source, target, &told(&forced.alignment, reading));
                results[pair] = (forced, alignment);
            }
        }
        results
    }

    /// The phrases that must come, each with its place in the source.
    fn phrases<'r>(
        &'r self,
        request: &'r Request,
    ) -> impl Iterator<Item = (Option<usize>, Result<Phrase, RequestError>)> {
        request.required.iter().filter_map(|Demand { alternatives, place }| {
            let texts: Vec<String> =
                alternatives.iter().map(|text| tidy(text)).filter(|text| !text.is_empty()).collect();
            let spelled = |texts: &[String]| spell(&self.vocabularies.target, texts);
            let failed = |phrase| RequestError::Unspellable { phrase };
            (!texts.is_empty()).then(|| (*place, spelled(&texts).map_err(failed)))
        })
    }

    fn required(&self, phrases: Vec<Phrase>) -> Required {
        if phrases.is_empty() { Required::default() } else { Required::new(phrases, self.units()) }
    }

    fn units(&self) -> Arc<Units> {
        Arc::clone(self.units.get_or_init(|| Arc::new(Units::new(&self.vocabularies.target))))
    }

    fn forbidden(&self, phrases: &[String]) -> Forbidden {
        let normal = phrases.iter().map(|phrase| self.vocabularies.target.normalize(phrase));
        if phrases.is_empty() { Forbidden::default() } else { Forbidden::new(normal, self.units()) }
    }

    /// What a request asks of each piece of a text, given their places in it.
    fn constraints(&self, request: &Request, pieces: &[Range<usize>]) -> Vec<Constraints> {
        let forbidden = self.forbidden(&request.forbidden);
        let mut phrases: Vec<Vec<Phrase>> = vec![Vec::new(); pieces.len()];
        let known = self.phrases(request).filter_map(|(place, phrase)| Some((place, phrase.ok()?)));
        let without_place = request.required.iter().filter(|demand| demand.place.is_none()).count();
        let mut turn = 0;
        for (place, phrase) in known {
            let piece = match place {
                Some(byte) => pieces.partition_point(|piece| piece.end <= byte).min(pieces.len() - 1),
                None => {
                    turn += 1;
                    (turn - 1) * pieces.len() / without_place
                }
            };
            phrases[piece].push(phrase);
        }
        let of_piece = |phrases| Constraints {
            forbidden: forbidden.clone(),
            required: self.required(phrases),
            tagged: self.tag.is_some(),
            ..self.free()
        };
        let mut constraints: Vec<Constraints> = phrases.into_iter().map(of_piece).collect();
        if !request.prefix.trim().is_empty() {
            constraints[0].prefix = self.vocabularies.target.encode_ids(&request.prefix);
        }
        constraints
    }

    fn pieces(&self, requests: &[Request], max_source_length: usize) -> Vec<Piece> {
        let tokenizer = &self.vocabularies.source;
        let mut pieces = Vec::new();
        for (text, request) in requests.iter().enumerate() {
            let whole = request.text.as_str();
            if whole.trim().is_empty() {
                continue;
            }
            let encoded = tokenizer.encode(whole);
            if encoded.ids.len() <= max_source_length {
                let span = 0..whole.len();
                let mut constraints = self.constraints(request, std::slice::from_ref(&span)).remove(0);
                constraints.steering = self.steering(request, &encoded);
                pieces.push(Piece { text, span, ids: self.read(&encoded.ids), encoded, constraints });
                continue;
            }
            let spans = split(whole, &encoded, max_source_length, &self.config.data.source_language);
            for (span, constraints) in spans.iter().zip(self.constraints(request, &spans)) {
                let encoded = tokenizer.encode(&whole[span.clone()]);
                pieces.push(Piece { text, span: span.clone(), ids: self.read(&encoded.ids), encoded, constraints });
            }
        }
        pieces
    }

    fn candidate(&self, source: &str, encoded: &Encoded, hypothesis: &Hypothesis, replace_unknown: bool) -> Candidate {
        let tokenizer = &self.vocabularies.target;
        let rows = told(&hypothesis.alignment, self.reading());
        let looked_at = |position: usize| {
            let best = most_looked_at(&rows.get(position)?[..encoded.spans.len()])?;
            Some(source[encoded.spans[best].clone()].trim())
        };
        let decoded = tokenizer.decode_replacing(&hypothesis.ids, |position| {
            looked_at(position).filter(|_| replace_unknown && hypothesis.ids[position] == UNK)
        });
        let Decoded { text, spans } = trimmed(decoded);
        let tokens: Vec<String> = hypothesis.ids.iter().map(|&id| tokenizer.token(id).unwrap_or_default()).collect();
        let target = sentence(&text, &tokens, &spans, hypothesis.finished);
        let alignment = align(sentence(source, &encoded.tokens, &encoded.spans, true), target, &rows);
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

/// The rows that tell where target tokens look, of all rows of a decoder: α_i of each, or α_{i+1}. Nothing follows the last, which
/// has its own.
///
/// α_i weighs the annotations before y_i is written, by a state that has not seen y_i: it is what the word was made from. The next state
/// has read y_i, so α_{i+1} may know better where a translation is given and not sought (Chen et al., 2020, "Accurate Word Alignment
/// Induction from Neural Machine Translation", of Transformers). In RNNsearch the readout sees c_i itself, and α_i is by far the
/// better one, unless α_{i+1} was taught; the README has the figures.
fn told(rows: &[Vec<f32>], reading: Reading) -> Vec<&[f32]> {
    let later = usize::from(reading == Reading::Next);
    (0..rows.len()).map(|row| &rows[(row + later).min(rows.len() - 1)][..]).collect()
}

/// The place of the highest weight, the first of equals; none if there is no weight anywhere.
fn most_looked_at(weights: &[f32]) -> Option<usize> {
    let best = (0..weights.len()).max_by(|&a, &b| weights[a].total_cmp(&weights[b]).then(b.cmp(&a)))?;
    (weights[best] > 0.0).then_some(best)
}

fn align(source: Sentence, target: Sentence, rows: &[&[f32]]) -> Option<Alignment> {
    if rows.is_empty() {
        return None;
    }
    Some(Alignment::new(source, target, rows.concat()).expect("a row a target token, a weight a source token"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_tell_of_a_word_before_or_after_it_was_written() {
        let rows = [vec![0.9, 0.1], vec![0.2, 0.8], vec![0.3, 0.7]];
        let told = |count: usize, reading| told(&rows[..count], reading).concat();
        assert_eq!(told(3, Reading::Previous), [0.9, 0.1, 0.2, 0.8, 0.3, 0.7]);
        assert_eq!(told(3, Reading::Next), [0.2, 0.8, 0.3, 0.7, 0.3, 0.7]);
        assert_eq!(told(1, Reading::Next), [0.9, 0.1]);
        assert!(told(0, Reading::Next).is_empty(), "there is no attention");
    }

    #[test]
    fn what_looks_nowhere_looks_at_no_word() {
        assert_eq!(most_looked_at(&[0.2, 0.4, 0.4]), Some(1));
        assert_eq!(most_looked_at(&[0.0, 0.0]), None);
        assert_eq!(most_looked_at(&[]), None);
    }
}
