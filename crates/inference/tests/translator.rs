//! Model files and translating, on small models with random weights.

use std::path::Path;

use burn::tensor::Device;
use rnnsearch_alignment::Link;
use rnnsearch_config::{Attention, Config, Decoder, Reading, TokenizerKind};
use rnnsearch_corpus::{EOS, Vocabularies};
use rnnsearch_decoder::RnnSearch;
use rnnsearch_inference::{
    Form, InferenceError, Model, Request, RequestError, Sampling, ShortlistCounts, TranslateOptions, Translation,
    Translator,
};
use rnnsearch_numeric::network::Parameter;

const TEXT: [(&str, &str); 6] = [
    ("the small house is red", "la petite maison est rouge"),
    ("a red cat sleeps", "un chat rouge dort"),
    ("where is the small cat ?", "où est le petit chat ?"),
    ("the house sleeps", "la maison dort"),
    ("a cat is small", "un chat est petit"),
    ("is the cat red ?", "le chat est-il rouge ?"),
];

fn config() -> Config {
    let mut config = Config::default();
    config.tokenizer.vocabulary = 300;
    config.model.embedding = 8;
    config.model.encoder_hidden = 6;
    config.model.decoder_hidden = 7;
    config.model.attention_hidden = 5;
    config.model.readout = 8;
    config
}

/// A model of every kind of attention, in one decoder or another.
fn family() -> Vec<Config> {
    use Attention::{
        Additive, Concat, Cosine, Coverage, Dot, General, Hard, Hops, LocalM, LocalP, Location, Monotonic, MultiHead,
        None, NormedAdditive, ScaledDot, Sparsemax,
    };
    let kinds = [
        Additive,
        None,
        NormedAdditive,
        Dot,
        ScaledDot,
        General,
        Concat,
        Cosine,
        Location,
        LocalM,
        LocalP,
        Hard,
        Monotonic,
        MultiHead,
        Hops,
        Sparsemax,
        Additive,
        None,
        Additive,
        Coverage,
        Coverage,
    ];
    let of_kind = |(number, attention): (usize, Attention)| {
        let mut config = config();
        let model = &mut config.model;
        (model.attention, model.decoder_hidden, model.attention_hidden) = (attention, 12, 8);
        if number >= 2 && number % 3 != 1 {
            model.decoder = Decoder::Conditional;
        }
        model.input_feeding = number >= 2 && number % 2 == 0;
        config
    };
    (0..).zip(kinds).map(of_kind).collect()
}

fn model(config: &Config, seed: u64) -> Model {
    let vocabularies = Vocabularies::train_on(&TEXT, &config.tokenizer).unwrap();
    let network = RnnSearch::new(&Model::settings(config, &vocabularies), seed, &Device::flex());
    Model::new(&network, config, &vocabularies)
}

/// Weights so large that the model has opinions, however wrong.
fn opinionated(config: &Config) -> Translator {
    opinionated_from(config, 3)
}

fn opinionated_from(config: &Config, seed: u64) -> Translator {
    let model = model(config, seed);
    Translator::new(changed(&model, 4.0), &Device::flex())
}

/// A model with the same weights in 32-bit floats, times a factor.
fn changed(model: &Model, factor: f32) -> Model {
    let louder = |parameter: &Parameter| parameter.floats().iter().map(|value| factor * value).collect();
    let parameters = model.parameters();
    let louder = parameters.iter().map(|(&name, p)| (name.into(), (p.shape.to_vec(), louder(p))));
    let blank = RnnSearch::blank(&Model::settings(&model.config, &model.vocabularies), &Device::flex());
    let network = rnnsearch_decoder::load_parameters(blank, louder.collect()).unwrap();
    Model::new(&network, &model.config, &model.vocabularies)
}

/// A model as it is read from a file of its bytes.
fn read(bytes: &[u8]) -> Result<Model, InferenceError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    std::fs::write(&path, bytes).unwrap();
    Model::load(&path)
}

fn options(batch_size: usize) -> TranslateOptions {
    let mut options = TranslateOptions::from(&Config::default().translation);
    options.batch_size = batch_size;
    options.search.max_extra = 5;
    options
}

fn texts(translations: &[Translation]) -> Vec<Vec<String>> {
    translations.iter().map(|t| t.candidates.iter().map(|candidate| candidate.text.clone()).collect()).collect()
}

#[test]
fn a_watched_translation_grows_to_what_it_is_unwatched() {
    // Of characters: bytes change what they are as others come.
    let mut config = config();
    (config.tokenizer.kind, config.tokenizer.vocabulary) = (TokenizerKind::Char, 20);
    let translator = opinionated(&config);
    for beam_size in [1, 4] {
        let mut options = options(8);
        (options.search.beam_size, options.replace_unknown) = (beam_size, false);
        let [plain] = &translator.translate(&["the small cat sleeps"], &options)[..] else { panic!("one translation") };
        let mut seen: Vec<String> = Vec::new();
        let watched = translator.translate_watched(&"the small cat sleeps".into(), &options, &mut |text: &str| {
            seen.push(text.to_owned());
        });
        assert_eq!(texts(&[watched]), texts(std::slice::from_ref(plain)));
        assert!(seen.len() > 1, "{seen:?}");
        let best = &plain.candidates[0].text;
        let grown = seen.windows(2).filter(|pair| pair[1].starts_with(&pair[0])).count();
        match beam_size {
            1 => assert!(grown == seen.len() - 1 && seen.iter().all(|text| best.starts_with(text)), "{seen:?} {best}"),
            _ => assert!(grown > 0, "{seen:?}"),
        }
    }
    let mut seen = 0;
    translator.translate_watched(&" ".into(), &options(8), &mut |_: &str| seen += 1);
    assert_eq!(seen, 0, "there is nothing to watch");
}

#[test]
fn a_model_file_gives_back_the_model_and_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    for (joint, kind) in [(true, TokenizerKind::Bpe), (false, TokenizerKind::Char)] {
        let mut config = config();
        (config.tokenizer.joint, config.tokenizer.kind) = (joint, kind);
        if kind == TokenizerKind::Char {
            config.tokenizer.vocabulary = 20;
        }
        let model = model(&config, 1);
        model.save(&path).unwrap();
        let loaded = Model::load(folder.path()).unwrap();
        assert_eq!(loaded.parameters(), model.parameters());
        assert_eq!(loaded.config.model, config.model);
        assert_eq!(loaded.to_bytes().unwrap(), std::fs::read(&path).unwrap());
        assert_eq!(loaded.vocabularies.source.encode("a cat").ids, model.vocabularies.source.encode("a cat").ids);
    }
}

#[test]
fn smaller_forms_hold_nearly_the_same() {
    let device = Device::flex();
    for (share, tie, layer_norm) in [(false, false, false), (true, true, false), (false, true, true)] {
        let mut config = config();
        (config.model.share_embeddings, config.model.tie_output) = (share, tie);
        config.model.layer_norm = layer_norm;
        let full = changed(&model(&config, 2), 4.0);
        let size = full.to_bytes().unwrap().len();
        for (form, within) in [(Form::Float16, 0.01), (Form::Int8, 0.5)] {
            let bytes = full.to_bytes_as(Some(form)).unwrap();
            assert!(bytes.len() < size);
            let small = read(&bytes).unwrap();
            assert_eq!((small.form(), small.format()), (form, 2));
            assert!(small.to_bytes().unwrap() == bytes, "what is read is written again");
            for (name, parameter) in full.parameters() {
                let largest = parameter.floats().iter().fold(0f32, |max, x| max.max(x.abs()));
                for (a, b) in parameter.floats().iter().zip(&*small.parameters()[name].floats()) {
                    assert!((a - b).abs() <= largest / 250.0, "{name}: {a} {b}");
                }
            }
            // Products of integers against those of the very same numbers as floats, and both against the model.
            let [full, floats] =
                [changed(&full, 1.0), changed(&small, 1.0)].map(|model| Translator::new(model, &device));
            let small = Translator::new(small, &device);
            for (source, target) in TEXT {
                let [full, floats, small] =
                    [&full, &floats, &small].map(|translator| translator.force(&[(source, target)], 1)[0].0.log_prob());
                assert!((small - full).abs() < within * full.abs(), "{form:?}: {small} {full}");
                assert!((small - floats).abs() < 0.05 * floats.abs(), "{form:?}: {small} {floats}");
            }
        }
    }
}

/// The words for every source, and those that each source word proposes, as a model file has them.
fn shortlist_of(bytes: &[u8]) -> [Vec<u32>; 2] {
    let file = safetensors::SafeTensors::deserialize(bytes).unwrap();
    let word = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap());
    ["shortlist.frequent", "shortlist.proposed"]
        .map(|name| file.tensor(name).unwrap().data().chunks_exact(4).map(word).collect())
}

#[test]
fn translations_are_made_of_the_shortlist() {
    let device = Device::flex();
    let teacher = opinionated(&config());
    let mut counts = ShortlistCounts::new(&teacher);
    counts.see(&TEXT);
    let sources: Vec<&str> = TEXT.iter().map(|(source, _)| *source).chain(["cat", "", "the zebra ☃"]).collect();
    for form in [Form::Float32, Form::Int8] {
        let with = |frequent: usize, proposals: usize| {
            let mut model = changed(&model(&config(), 3), 4.0);
            model.shortlist = Some(counts.shortlist(frequent, proposals));
            let bytes = model.to_bytes_as(Some(form)).unwrap();
            let model = read(&bytes).unwrap();
            assert!(model.shortlist == Some(counts.shortlist(frequent, proposals)) && model.format() == 2);
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), &bytes).unwrap();
            let parameters: usize = model.parameters().values().map(|p| p.shape.iter().product::<usize>()).sum();
            assert_eq!(Model::count_parameters(file.path()).unwrap(), parameters);
            (Translator::new(model, &device), shortlist_of(&bytes))
        };
        let (few, [frequent, proposed]) = with(2, 3);
        let mut all_words = options(4);
        all_words.search.shortlist = false;
        let free = texts(&few.translate(&sources, &all_words));
        // A list of all words is none.
        assert_eq!(texts(&with(1000, 3).0.translate(&sources, &options(4))), free);
        let found = few.translate(&sources, &options(4));
        assert_ne!(texts(&found), free);
        for translation in &found {
            let vocabularies = few.vocabularies();
            let source = vocabularies.source.encode_ids(&translation.source);
            let of_word = |word: &u32| &proposed[*word as usize * 3..][..3];
            let listed = frequent.iter().chain(source.iter().chain([&EOS]).flat_map(of_word));
            let listed: Vec<String> = listed.filter_map(|&word| vocabularies.target.token(word)).collect();
            let tokens = &translation.candidates[0].tokens;
            assert!(tokens.iter().all(|token| listed.contains(token)), "{tokens:?} of {listed:?}");
        }
        // Whatever the company, and with a beginning of words that no list has.
        for batch_size in [1, 2, 64] {
            assert_eq!(texts(&few.translate(&sources, &options(batch_size))), texts(&found));
        }
        let request = Request { text: "a cat".into(), prefix: "☃ où".into(), ..Request::default() };
        let begun = &few.translate_as(&[request], &options(1))[0].candidates[0];
        assert!(begun.text.starts_with("☃ où") && begun.log_prob.is_finite(), "{}", begun.text);
    }
}

#[test]
fn a_damaged_model_file_is_refused_wherever_the_damage_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    model(&config(), 1).save(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let load = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        Model::load(&path)
    };
    for cut in [0, 7, 100, bytes.len() / 2, bytes.len() - 1] {
        assert!(load(&bytes[..cut]).is_err(), "cut at {cut}");
    }
    for at in (0..bytes.len()).step_by(997).chain([9, 40, bytes.len() - 1]) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        assert!(load(&flipped).is_err(), "flipped at {at}");
    }
    load(&bytes).unwrap();
}

#[test]
fn what_is_no_model_says_so() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Model::load(folder.path()), Err(InferenceError::NoModelYet { .. })));
    assert!(matches!(Model::load(Path::new("/no/such/model")), Err(InferenceError::Read { .. })));
    let path = folder.path().join("other.safetensors");
    std::fs::write(&path, b"\x02\0\0\0\0\0\0\0{}").unwrap();
    assert!(matches!(Model::load(&path), Err(InferenceError::NotAModel { .. })));
    let header = br#"{"__metadata__":{"rnnsearch":"{\"format\":99,\"new\":true}"}}"#;
    std::fs::write(&path, [&(header.len() as u64).to_le_bytes()[..], header].concat()).unwrap();
    assert!(matches!(Model::load(&path), Err(InferenceError::NewerFormat { found: 99, .. })));
}

#[test]
fn company_changes_nothing() {
    for config in family() {
        let translator = opinionated(&config);
        let mut sources: Vec<&str> = TEXT.iter().map(|(source, _)| *source).chain(["", "cat", "  "]).collect();
        let together = texts(&translator.translate(&sources, &options(64)));
        for batch_size in [1, 2, 7] {
            assert_eq!(texts(&translator.translate(&sources, &options(batch_size))), together);
        }
        sources.reverse();
        let mut reversed = texts(&translator.translate(&sources, &options(64)));
        reversed.reverse();
        assert_eq!(reversed, together);
    }
}

#[test]
fn blank_text_stays_blank_and_candidates_are_ranked() {
    let translator = opinionated(&config());
    let mut options = options(4);
    options.search.n_best = 8;
    let translations = translator.translate(&["", "a red cat"], &options);
    assert_eq!(texts(&translations)[0], [""]);
    let candidates = &translations[1].candidates;
    assert!(candidates.len() > 1 && candidates.len() <= 8);
    let ended = candidates.iter().filter(|candidate| candidate.finished).count();
    for group in [&candidates[..ended], &candidates[ended..]] {
        assert!(group.windows(2).all(|pair| pair[0].score >= pair[1].score));
    }
    for candidate in candidates {
        let length = candidate.length as f64;
        assert!((candidate.score * length - candidate.log_prob).abs() < 1e-9);
    }
}

#[test]
fn every_model_translates_by_the_engine_that_knows_it() {
    for config in family() {
        let translator = opinionated(&config);
        let model = &config.model;
        let packed = matches!(model.attention, Attention::Additive | Attention::None) && !model.input_feeding;
        assert_eq!(translator.operations().is_some(), packed, "{:?}", config.model);
        let translation = translator.translate(&["the small house"], &options(4)).remove(0);
        let candidate = &translation.candidates[0];
        assert_eq!(candidate.alignment.is_some(), config.model.attention != Attention::None);
        let (forced, _) = translator.force(&[("the small house", "la petite maison")], 8).remove(0);
        assert!(forced.log_prob() < 0.0 && candidate.log_prob < 0.0);
    }
    // One that it does not know takes the others along.
    let config = family().pop().unwrap();
    let both = vec![model(&family()[0], 1), model(&config, 1)];
    assert!(Translator::ensemble(both, &Device::flex()).operations().is_none());
}

#[test]
fn models_that_go_their_own_way_are_not_steered() {
    let request = |text: &str| {
        let mut request = Request::from(text);
        request.pinned = vec![Link { source: 0, target: 0 }];
        request
    };
    for config in family() {
        let checked = opinionated(&config).check(&request("a cat"), &options(1));
        match config.model.attention {
            Attention::None => assert_eq!(checked, Err(RequestError::NoAttention)),
            kind @ (Attention::LocalP | Attention::Monotonic) => {
                let told = checked.unwrap_err().to_string();
                let named = if kind == Attention::LocalP { "\"local-p\"" } else { "\"monotonic\"" };
                assert!(told.contains(named) && told.contains("\"additive\""), "{told}");
            }
            _ => assert_eq!(checked, Ok(())),
        }
    }
    let monotonic = family().into_iter().find(|config| config.model.attention == Attention::Monotonic).unwrap();
    let both = Translator::ensemble(vec![model(&config(), 1), model(&monotonic, 1)], &Device::flex());
    assert!(matches!(both.check(&request("a cat"), &options(1)), Err(RequestError::NotSteerable { .. })));
}

#[test]
fn alignments_are_distributions_over_the_source() {
    let translator = opinionated(&config());
    for translation in translator.translate(&["the small house", "a cat"], &options(2)) {
        let alignment = translation.candidates[0].alignment.as_ref().unwrap();
        assert_eq!(alignment.source().text(), translation.source);
        assert_eq!(alignment.target().text(), translation.candidates[0].text);
        for row in alignment.rows() {
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        }
    }
}

/// Forced decoding of a translation finds what searching found.
#[test]
fn forcing_a_translation_gives_its_score() {
    let translator = opinionated(&config());
    let vocabulary = &translator.vocabularies().target;
    let sources: Vec<&str> = TEXT.iter().map(|(source, _)| *source).collect();
    let translations = translator.translate(&sources, &options(3));
    let mut checked = 0;
    for translation in &translations {
        for candidate in translation.candidates.iter().filter(|candidate| candidate.finished) {
            // Only where the text is tokenized as the model spelled it.
            if vocabulary.encode(&candidate.text).ids.len() + 1 != candidate.length {
                continue;
            }
            let (forced, alignment) = translator.force(&[(&translation.source, &candidate.text)], 8).remove(0);
            if (forced.log_prob() - candidate.log_prob).abs() < 1e-3 {
                checked += 1;
                let difference = |(a, b): (&f32, &f32)| (a - b).abs();
                let (given, expected) = (alignment.unwrap(), candidate.alignment.clone().unwrap());
                assert!(
                    given.weights().iter().zip(expected.weights()).map(difference).all(|difference| difference < 1e-4)
                );
            }
        }
    }
    let pairs: Vec<(&str, &str)> = TEXT.to_vec();
    let alone: Vec<f64> = pairs.iter().map(|&pair| translator.force(&[pair], 1)[0].0.log_prob()).collect();
    for (together, alone) in translator.force(&pairs, 4).iter().zip(alone) {
        assert!((together.0.log_prob() - alone).abs() < 1e-4);
    }
    println!("{checked} translations compared with their forced decoding");
}

#[test]
fn alignments_are_told_by_the_step_that_was_taught() {
    let before = config();
    let mut after = config();
    after.training.alignment.read = Reading::Next;
    let [before, after] = [&before, &after].map(|config| Translator::new(model(config, 3), &Device::flex()));
    let later = |rows: Vec<&[f32]>| -> Vec<f32> { [&rows[1..], &rows[rows.len() - 1..]].concat().concat() };
    let (forced, expected) = before.force(&TEXT, 8).remove(0);
    let (same, told) = after.force(&TEXT, 8).remove(0);
    let expected = expected.unwrap();
    assert_eq!(same, forced);
    assert_eq!(told.unwrap().weights(), later(expected.rows().collect()));
    assert_eq!(after.force_reading(&TEXT, 8, Reading::Previous).remove(0).1, Some(expected));
    let sources = TEXT.map(|(source, _)| source);
    let found = [&before, &after].map(|translator| translator.translate(&sources, &options(2)).remove(0));
    let [expected, told] = found.map(|translation| translation.candidates[0].alignment.clone().unwrap());
    assert_eq!(told.weights(), later(expected.rows().collect()));
    let request = Request { pinned: vec![Link { source: 0, target: 0 }], ..Request::from(sources[0]) };
    assert_eq!(after.check(&request, &options(2)), Err(RequestError::ReadLater));
}

#[test]
fn long_text_is_translated_in_pieces_and_nothing_is_lost() {
    let translator = opinionated(&config());
    let mut options = options(4);
    options.max_source_length = 12;
    options.search.n_best = 2;
    let long = "the small house is red. a red cat sleeps, where is the small cat";
    let translation = translator.translate(&[long], &options).remove(0);
    let alignment = translation.candidates[0].alignment.as_ref().unwrap();
    assert_eq!(alignment.source().text(), long);
    assert_eq!(alignment.target().text(), translation.candidates[0].text);
    let covered: usize =
        alignment.source().tokens().iter().filter_map(|token| token.span()).map(|span| span.len()).sum();
    let blanks_between_pieces = long.len() - covered;
    assert!(blanks_between_pieces <= 5, "{blanks_between_pieces} bytes are in no token");
}

/// A vocabulary of words alone cannot say everything; where the model says UNK, a word of the source stands in.
#[test]
fn unknown_words_are_replaced_by_what_they_looked_at() {
    let mut config = config();
    (config.tokenizer.kind, config.tokenizer.vocabulary) = (TokenizerKind::Wordlevel, 10);
    let source = "the zebra sleeps";
    let mut options = options(1);
    let mut replaced = 0;
    for seed in 0..20 {
        let translator = opinionated_from(&config, seed);
        options.replace_unknown = false;
        let plain = texts(&translator.translate(&[source], &options)).concat().concat();
        options.replace_unknown = true;
        let helped = texts(&translator.translate(&[source], &options)).concat().concat();
        assert!(!helped.contains("<unk>"), "{helped}");
        if plain.contains("<unk>") {
            replaced += 1;
            assert!(source.split(' ').any(|word| helped.contains(word)), "{helped}");
        } else {
            assert_eq!(plain, helped);
        }
    }
    assert!(replaced > 0, "no model said UNK");
}

#[test]
fn samples_from_a_shortlist_do_not_depend_on_company() {
    let teacher = opinionated(&config());
    let mut counts = ShortlistCounts::new(&teacher);
    counts.see(&TEXT);
    let mut model = changed(&model(&config(), 3), 4.0);
    model.shortlist = Some(counts.shortlist(2, 3));
    let translator = Translator::new(model, &Device::flex());
    // Lists of other lengths, with `top_k` between them.
    let sources = ["cat", "the small house is red", "where is the small cat ?"];
    for (top_k, top_p) in [(14, 1.0), (0, 0.9), (0, 1.0)] {
        let mut options = options(64);
        options.search.sampling = Some(Sampling { temperature: 1.0, top_k, top_p, seed: 5 });
        (options.search.beam_size, options.search.n_best) = (9, 9);
        let together = texts(&translator.translate(&sources, &options));
        let alone: Vec<Vec<String>> =
            sources.iter().flat_map(|source| texts(&translator.translate(&[source], &options))).collect();
        assert_eq!(together, alone, "{top_k} {top_p}");
    }
}
