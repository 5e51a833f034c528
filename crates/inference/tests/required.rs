//! Phrases that must come, or must not: on small models with random weights, whatever else is asked.

use std::slice;

use burn::tensor::Device;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rnnsearch_config::{Config, StopRule, TokenizerKind};
use rnnsearch_corpus::Vocabularies;
use rnnsearch_decoder::RnnSearch;
use rnnsearch_inference::{Demand, Model, Request, RequestError, Sampling, TranslateOptions, Translator};
use rnnsearch_numeric::network::Parameter;

const TEXT: [(&str, &str); 6] = [
    ("the small house is red", "la petite maison est rouge"),
    ("a red cat sleeps, now", "un chat rouge dort, là"),
    ("where is the small cat ?", "où est le petit chat ?"),
    ("the houses sleep", "les maisons dorment"),
    ("a cat is small", "un chat est petit"),
    ("is the cat red ?", "le chat est-il rouge ?"),
];

const KINDS: [TokenizerKind; 5] = [
    TokenizerKind::Bpe,
    TokenizerKind::Unigram,
    TokenizerKind::Char,
    TokenizerKind::Wordlevel,
    TokenizerKind::Wordpiece,
];

/// A model with opinions, however wrong.
fn model(kind: TokenizerKind, seed: u64) -> Model {
    let mut config = Config::default();
    config.tokenizer.kind = kind;
    config.tokenizer.vocabulary = match kind {
        TokenizerKind::Bpe | TokenizerKind::Unigram => 300,
        TokenizerKind::Char => 27,
        TokenizerKind::Wordpiece => 50,
        _ => 35,
    };
    let sizes = &mut config.model;
    (sizes.embedding, sizes.encoder_hidden, sizes.decoder_hidden) = (8, 6, 7);
    (sizes.attention_hidden, sizes.readout) = (5, 8);
    let vocabularies = Vocabularies::train_on(&TEXT, &config.tokenizer).unwrap();
    let (settings, device) = (Model::settings(&config, &vocabularies), Device::flex());
    let quiet = Model::new(&RnnSearch::new(&settings, seed, &device), &config, &vocabularies);
    let louder = |parameter: &Parameter| parameter.floats().iter().map(|value| 4.0 * value).collect();
    let parameters = quiet.parameters();
    let louder = parameters.iter().map(|(&name, p)| (name.into(), (p.shape.to_vec(), louder(p))));
    let blank = RnnSearch::blank(&settings, &device);
    Model::new(&rnnsearch_decoder::load_parameters(blank, louder.collect()).unwrap(), &config, &vocabularies)
}

fn translator(kind: TokenizerKind, seed: u64) -> Translator {
    Translator::new(model(kind, seed), &Device::flex())
}

struct Random(ChaCha8Rng);

impl Random {
    fn below(&mut self, count: usize) -> usize {
        (self.0.next_u64() % count as u64) as usize
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Some words of a sentence in a row.
    fn phrase(&mut self) -> String {
        let words: Vec<&str> = self.of(&TEXT).1.split(' ').collect();
        let first = self.below(words.len());
        let count = 1 + self.below(3.min(words.len() - first));
        words[first..first + count].join(" ")
    }

    fn options(&mut self) -> TranslateOptions {
        let mut options = TranslateOptions::from(&Config::default().translation);
        options.search.beam_size = self.of(&[1, 2, 5]);
        options.search.n_best = self.of(&[1, 1, 3]);
        options.search.stop = self.of(&[StopRule::Beam, StopRule::First, StopRule::Best]);
        options.search.no_repeat_ngram = self.of(&[0, 0, 1, 2]);
        (options.search.max_ratio, options.search.max_extra) = (self.of(&[0.0, 1.0]), self.of(&[0, 5]));
        options
    }
}

/// How often a phrase comes as whole words, without overlap.
fn occurrences(text: &str, phrase: &str) -> usize {
    let (mut count, mut from) = (0, 0);
    while let Some(at) = text[from..].find(phrase).map(|at| from + at) {
        let end = at + phrase.len();
        let inside = |before: Option<char>, after: Option<char>| {
            before.is_some_and(char::is_alphanumeric) && after.is_some_and(char::is_alphanumeric)
        };
        let cut = inside(text[..at].chars().next_back(), phrase.chars().next())
            || inside(phrase.chars().next_back(), text[end..].chars().next());
        count += usize::from(!cut);
        from = if cut { at + text[at..].chars().next().map_or(1, char::len_utf8) } else { end };
    }
    count
}

#[test]
fn occurrences_are_of_whole_words() {
    assert_eq!(occurrences("chat, chats chat", "chat"), 2);
    assert_eq!(occurrences("est-il est", "est"), 2);
    assert_eq!(occurrences("a, b", ","), 1);
}

#[test]
fn every_phrase_comes() {
    let mut random = Random(ChaCha8Rng::seed_from_u64(5));
    let mut translators: Vec<Translator> =
        KINDS.into_iter().zip(1..).map(|(kind, seed)| translator(kind, seed)).collect();
    let members = vec![model(TokenizerKind::Bpe, 7), model(TokenizerKind::Bpe, 8)];
    translators.push(Translator::ensemble(members, &Device::flex()));
    let (mut sets, mut phrases) = (0, 0);
    while sets < 1000 {
        let options = random.options();
        let mut request = || {
            let count = 1 + random.below(4);
            let required: Vec<Demand> = (0..count).map(|_| Demand::from(random.phrase())).collect();
            let prefix = if random.below(4) == 0 { random.phrase() } else { String::new() };
            let forbidden = if random.below(3) == 0 { vec![random.phrase()] } else { Vec::new() };
            Request { prefix, forbidden, required, ..Request::from(random.of(&TEXT).0) }
        };
        let requests: Vec<Request> = (0..5).map(|_| request()).collect();
        let translator = &translators[random.below(translators.len())];
        let possible = |request: &Request| translator.check(request, &options).is_ok();
        let requests: Vec<Request> = requests.into_iter().filter(possible).collect();
        for (translation, request) in translator.translate_as(&requests, &options).iter().zip(&requests) {
            sets += 1;
            assert!(!translation.candidates.is_empty(), "{request:?} {options:?}");
            for Demand { alternatives, .. } in &request.required {
                phrases += 1;
                let wanted = request.required.iter().filter(|other| other.alternatives == *alternatives).count();
                for candidate in &translation.candidates {
                    let found = occurrences(&candidate.text, &alternatives[0]);
                    assert!(found >= wanted, "{request:?} {options:?}: {}", candidate.text);
                    // Bytes may spoil a prefix that ends in bytes, and some vocabularies cannot spell some.
                    let vocabulary = &translator.vocabularies().target;
                    let is_text = !candidate.text.contains(char::REPLACEMENT_CHARACTER)
                        && vocabulary.decode(&vocabulary.encode_ids(&request.prefix)) == request.prefix;
                    assert!(!is_text || candidate.text.starts_with(&request.prefix), "{request:?}: {}", candidate.text);
                }
            }
        }
    }
    assert!(phrases > 2000, "{phrases}");
}

/// With random weights words are spelled in odd ways.
#[test]
fn no_phrase_comes_that_is_forbidden() {
    let mut random = Random(ChaCha8Rng::seed_from_u64(9));
    let (mut came, mut unlike) = (0, 0);
    for (kind, seed) in KINDS.into_iter().zip(1..) {
        let translator = translator(kind, seed);
        for _ in 0..60 {
            // What takes the place of an unknown word is not the model's.
            let options = TranslateOptions { replace_unknown: false, ..random.options() };
            let plain = Request::from(random.of(&TEXT).0);
            // What comes by itself is what to forbid.
            let text = translator.translate_as(slice::from_ref(&plain), &options).remove(0).candidates.remove(0).text;
            let words: Vec<&str> = text.split_whitespace().collect();
            let mut forbidden = vec![random.phrase(), random.phrase()];
            if !words.is_empty() {
                let first = random.below(words.len());
                forbidden.push(words[first..words.len().min(first + 1 + random.below(2))].join(" "));
            }
            let request = Request { forbidden, ..plain };
            let is_known = |phrase: &&String| !phrase.contains(char::REPLACEMENT_CHARACTER);
            for candidate in &translator.translate_as(slice::from_ref(&request), &options)[0].candidates {
                for phrase in request.forbidden.iter().filter(is_known) {
                    came += occurrences(&text, phrase);
                    assert_eq!(occurrences(&candidate.text, phrase), 0, "{kind:?} {request:?}: {}", candidate.text);
                }
                unlike += usize::from(candidate.text != text);
            }
        }
    }
    assert!(came > 100 && unlike > 100, "{came} {unlike}");
}

#[test]
fn nothing_required_changes_nothing() {
    let translator = translator(TokenizerKind::Bpe, 3);
    let mut random = Random(ChaCha8Rng::seed_from_u64(6));
    for _ in 0..20 {
        let options = random.options();
        for (source, _) in TEXT {
            let blank = Request { required: vec![" ".into()], ..source.into() };
            let found = |request: Request| translator.translate_as(&[request], &options).remove(0).candidates;
            let (plain, blank) = (found(source.into()), found(blank));
            assert_eq!(format!("{plain:?}"), format!("{blank:?}"));
        }
    }
}

#[test]
fn one_of_several_phrases_is_enough() {
    let translator = translator(TokenizerKind::Bpe, 3);
    let options = TranslateOptions::from(&Config::default().translation);
    let any = Demand { alternatives: vec!["maisons".into(), "un chat".into()], place: None };
    for (source, _) in TEXT {
        let request = Request { required: vec![any.clone()], ..source.into() };
        let text = translator.translate_as(&[request], &options).remove(0).candidates.remove(0).text;
        assert!(occurrences(&text, "maisons") + occurrences(&text, "un chat") >= 1, "{text}");
    }
}

#[test]
fn phrases_go_with_the_piece_of_their_place() {
    let translator = translator(TokenizerKind::Bpe, 3);
    let mut options = TranslateOptions::from(&Config::default().translation);
    options.max_source_length = 12;
    let text = "the small house is red. a red cat sleeps, where is the small cat";
    let at = |byte: usize| Demand { place: Some(byte), ..Demand::from("dorment") };
    let half = |required: Vec<Demand>| {
        let request = Request { required, ..text.into() };
        let translation = translator.translate_as(&[request], &options).remove(0);
        assert!(translation.pieces > 1);
        let found = &translation.candidates[0].text;
        assert_eq!(occurrences(found, "dorment"), 1, "{found}");
        found.find("dorment").unwrap() * 2 / found.len()
    };
    assert_eq!((half(vec![at(3)]), half(vec![at(text.len() - 1)])), (0, 1));
    assert_eq!(half(vec!["dorment".into()]), 0, "the first without a place goes to the first piece");
}

#[test]
fn what_cannot_be_required_is_told() {
    let (words, pieces) = (translator(TokenizerKind::Wordlevel, 3), translator(TokenizerKind::Bpe, 3));
    let mut options = TranslateOptions::from(&Config::default().translation);
    let zebra = Request { required: vec!["un zebra".into()], ..Request::from("a cat") };
    assert_eq!(words.check(&zebra, &options), Err(RequestError::Unspellable { phrase: "un zebra".into() }));
    assert_eq!(pieces.check(&zebra, &options), Ok(()));
    let both = Request { forbidden: vec!["zebra".into()], ..zebra.clone() };
    assert_eq!(pieces.check(&both, &options), Err(RequestError::Contradiction { phrase: "zebra".into() }));
    assert_eq!(pieces.check(&Request { text: " ".into(), ..zebra.clone() }, &options), Err(RequestError::Blank));
    options.search.sampling = Some(Sampling { temperature: 1.0, top_k: 0, top_p: 1.0, seed: 1 });
    assert_eq!(pieces.check(&zebra, &options), Err(RequestError::Sampled));
    assert_eq!(pieces.check(&"a cat".into(), &options), Ok(()));
}
