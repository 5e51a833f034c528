use proptest::prelude::*;
use rnnsearch_config::TokenizerConfig;
use unicode_normalization::UnicodeNormalization;

use super::*;

const PAIRS: [(&str, &str); 6] = [
    ("Die Katze schläft auf dem Sofa.", "The cat sleeps on the sofa."),
    ("Der Hund (ein Dackel) schläft nicht!", "The dog (a dachshund) does not sleep!"),
    ("»Wo ist die rote Katze?«, fragt das Kind.", "\"Where is the red cat?\" asks the child."),
    ("L'été, les enfants dorment.", "In summer, the children sleep."),
    ("Ein Kind läuft über die Straße.", "A child runs across the street."),
    ("Übermorgen schlafen wir aus.", "The day after tomorrow we sleep late."),
];

const KINDS: [(TokenizerKind, usize); 5] = [
    (TokenizerKind::Bpe, 340),
    (TokenizerKind::Unigram, 330),
    (TokenizerKind::Wordpiece, 130),
    (TokenizerKind::Wordlevel, 60),
    (TokenizerKind::Char, 52),
];

fn train(kind: TokenizerKind, vocabulary: usize) -> Result<Vocabularies, CorpusError> {
    Vocabularies::train_on(&PAIRS, &TokenizerConfig { kind, vocabulary, ..Default::default() })
}

fn tokenizer(kind: TokenizerKind) -> &'static Tokenizer {
    static ALL: std::sync::OnceLock<Vec<Tokenizer>> = std::sync::OnceLock::new();
    let all = ALL.get_or_init(|| {
        let vocabularies = KINDS.map(|(kind, size)| train(kind, size).expect("a vocabulary"));
        vocabularies.map(|both| Tokenizer::from_json(&both.source.to_json(), "test").expect("a tokenizer")).into()
    });
    all.iter().find(|tokenizer| tokenizer.kind() == kind).expect("all kinds are trained")
}

fn nfc(text: &str) -> String {
    text.nfc().collect()
}

/// Text of many scripts and of everything that has ever broken a tokenizer. The blocks are old ones, as the composition of a
/// character newer than the tables of the `tokenizers` crate is not what is tested.
fn any_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-zäöüß ]{1,6}",
        2 => "[\\x00-\\x7f]{1,4}",
        2 => "[\u{80}-\u{24f}\u{300}-\u{345}]{1,4}",
        1 => "[\u{391}-\u{3a1}\u{410}-\u{44f}\u{5b0}-\u{5b9}\u{5d0}-\u{5ea}\u{621}-\u{652}]{1,4}",
        1 => "[\u{915}-\u{939}\u{93c}-\u{94d}\u{958}-\u{95f}\u{1100}-\u{1112}\u{1161}-\u{1175}\u{11a8}-\u{11c2}]{1,4}",
        1 => "[\u{3000}-\u{3096}\u{30a1}-\u{30fa}\u{4e00}-\u{4fff}\u{ac00}-\u{ad00}\u{f900}-\u{f920}]{1,4}",
        1 => "[\u{2000}-\u{206f}\u{2581}\u{feff}\u{fffd}\u{e000}\u{1f300}-\u{1f5ff}\u{1f1e6}-\u{1f1ff}]{1,4}",
        1 => proptest::sample::select(vec![
            "<s>", "</s>", "<unk>", "<pad>", "<0x41>", "<0xE2><0x98>", "##", "##a", "▁", "  ", "\t", "\u{85}", "\u{2028}",
            "e\u{301}", "\u{212b}", "\u{1e9b}\u{323}", "a\u{315}\u{300}\u{5ae}\u{327}b", "\r", "\0", "\u{10ffff}",
        ]).prop_map(str::to_owned),
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..Default::default() })]

    #[test]
    fn texts_have_the_form_of_their_tokens(text in any_text()) {
        for (kind, _) in KINDS {
            prop_assert_eq!(tokenizer(kind).normalize(&text), nfc(&text));
        }
    }

    #[test]
    fn any_text_survives_encoding(text in any_text()) {
        for kind in [TokenizerKind::Bpe, TokenizerKind::Unigram] {
            let tokenizer = tokenizer(kind);
            let ids = tokenizer.encode_ids(&text);
            prop_assert_eq!(tokenizer.decode(&ids), nfc(&text), "{:?}", kind);
            prop_assert!(ids.iter().all(|&id| id >= SPECIAL_TOKENS.len() as u32), "{:?}", kind);
        }
    }

    #[test]
    fn no_text_is_a_special_token(text in any_text()) {
        for (kind, _) in KINDS {
            let ids = tokenizer(kind).encode_ids(&text);
            prop_assert!(ids.iter().all(|id| ![PAD, BOS, EOS].contains(id)), "{:?}", kind);
        }
    }

    #[test]
    fn spans_cover_the_text(text in any_text()) {
        for (kind, _) in KINDS {
            let encoded = tokenizer(kind).encode(&text);
            prop_assert_eq!(&encoded.ids, &tokenizer(kind).encode_ids(&text));
            prop_assert_eq!(encoded.tokens.len(), encoded.ids.len());
            check_spans(&text, &encoded.spans)?;
        }
    }

    #[test]
    fn decoded_spans_cover_the_text(text in any_text()) {
        for (kind, _) in KINDS {
            let decoded = tokenizer(kind).decode_with_spans(&tokenizer(kind).encode_ids(&text));
            check_spans(&decoded.text, &decoded.spans)?;
        }
    }

    /// Whatever ids a model gives, others who read the file see the same text.
    #[test]
    fn decodes_as_the_library_does(numbers in proptest::collection::vec(any::<u32>(), 0..30)) {
        for (kind, _) in KINDS {
            let tokenizer = tokenizer(kind);
            let special = SPECIAL_TOKENS.len() as u32;
            let ids: Vec<u32> = numbers.iter().map(|n| special + n % (tokenizer.vocab_size() as u32 - special)).collect();
            let decoded = tokenizer.decode_with_spans(&ids);
            prop_assert_eq!(&decoded.text, &tokenizer.inner.decode(&ids, false).expect("text"), "{:?}", kind);
            prop_assert_eq!(decoded.spans.len(), ids.len());
            check_spans(&decoded.text, &decoded.spans)?;
        }
    }
}

/// Each span begins where the one before it ends, or is the same (the bytes of one character).
fn check_spans(text: &str, spans: &[Range<usize>]) -> Result<(), TestCaseError> {
    let mut end = 0;
    let mut last = 0..0;
    for span in spans {
        prop_assert!(text.get(span.clone()).is_some(), "{:?} cuts a character in {:?}", span, text);
        prop_assert!(span.start == end || *span == last, "{:?} after {:?} in {:?}: {:?}", span, last, text, spans);
        end = span.end;
        last = span.clone();
    }
    prop_assert_eq!(end, if spans.is_empty() { 0 } else { text.len() }, "{:?} of {:?}", spans, text);
    Ok(())
}

#[test]
fn training_text_survives_in_every_kind() {
    for kind in [TokenizerKind::Bpe, TokenizerKind::Unigram, TokenizerKind::Wordpiece, TokenizerKind::Char] {
        for text in PAIRS.iter().flat_map(|(source, target)| [source, target]) {
            assert_eq!(tokenizer(kind).decode(&tokenizer(kind).encode_ids(text)), *text, "{kind:?}");
        }
    }
}

#[test]
fn tokens_are_shown_with_their_spaces() {
    let encoded = tokenizer(TokenizerKind::Wordlevel).encode("The blue zebra sleeps (now).");
    assert_eq!(encoded.tokens, ["▁The", "<unk>", "<unk>", "▁sleeps", "▁(", "<unk>", ")", "."].map(str::to_owned));
    assert_eq!(encoded.spans[..3], [0..3, 3..8, 8..14]);
}

#[test]
fn unknown_words_keep_their_distance() {
    let tokenizer = tokenizer(TokenizerKind::Wordlevel);
    let ids = tokenizer.encode_ids("The zebra sleeps.");
    assert_eq!(tokenizer.decode(&ids), "The <unk> sleeps.");
    let replaced = tokenizer.decode_replacing(&ids, |position| (position == 1).then_some("Zebra"));
    assert_eq!(replaced.text, "The Zebra sleeps.");
    assert_eq!(replaced.spans, [0..3, 3..9, 9..16, 16..17]);
}

#[test]
fn wordlevel_keeps_the_most_frequent_words() {
    let pairs = [("a a a b b c", "a b c d")];
    let config = TokenizerConfig { kind: TokenizerKind::Wordlevel, vocabulary: 6, ..Default::default() };
    let vocabularies = Vocabularies::train_on(&pairs, &config).expect("a vocabulary");
    let tokens: Vec<_> = (0..6).map(|id| vocabularies.source.token(id).expect("a token")).collect();
    assert_eq!(tokens, ["<pad>", "<unk>", "<s>", "</s>", "▁a", "▁b"]);
}

#[test]
fn special_ids_decode_to_nothing() {
    let tokenizer = tokenizer(TokenizerKind::Bpe);
    let ids = tokenizer.encode_ids("The cat");
    let framed: Vec<u32> = [&[BOS], &ids[..], &[EOS, PAD, PAD]].concat();
    let decoded = tokenizer.decode_with_spans(&framed);
    assert_eq!(decoded.text, "The cat");
    assert_eq!((decoded.spans[0].clone(), decoded.spans[framed.len() - 1].clone()), (0..0, 7..7));
}

#[test]
fn ids_out_of_the_vocabulary_are_unknown() {
    assert_eq!(tokenizer(TokenizerKind::Bpe).decode(&[1_000_000]), "<unk>");
    assert_eq!(tokenizer(TokenizerKind::Bpe).token(1_000_000), None);
}

#[test]
fn the_same_text_gives_the_same_file() {
    for (kind, size) in KINDS {
        let first = train(kind, size).expect("a vocabulary").source.to_json();
        for threads in 1..4 {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool");
            assert_eq!(pool.install(|| train(kind, size)).expect("a vocabulary").source.to_json(), first, "{kind:?}");
        }
    }
}

/// So that models of the two directions of a corpus have the same tokens.
#[test]
fn the_other_direction_has_the_same_vocabularies() {
    let swapped = PAIRS.map(|(source, target)| (target, source));
    // One side of the text does not fill as many.
    let separate = [300, 290, 90, 20, 30];
    for ((kind, vocabulary), of_side) in KINDS.into_iter().zip(separate) {
        for (joint, vocabulary) in [(true, vocabulary), (false, of_side)] {
            let config = TokenizerConfig { kind, vocabulary, joint, ..Default::default() };
            let [here, there] = [&PAIRS, &swapped].map(|pairs| Vocabularies::train_on(pairs, &config).unwrap());
            assert!(here.source.to_json() == there.target.to_json(), "{kind:?}");
            assert!(here.target.to_json() == there.source.to_json(), "{kind:?}");
        }
    }
}

#[test]
fn lower_case_is_part_of_the_tokenizer() {
    let config = TokenizerConfig { vocabulary: 300, lowercase: true, ..Default::default() };
    let trained = Vocabularies::train_on(&PAIRS, &config).expect("a vocabulary");
    let tokenizer = Tokenizer::from_json(&trained.source.to_json(), "test").expect("a tokenizer");
    assert_eq!(tokenizer.decode(&tokenizer.encode_ids("ÜBER DER Straße")), "über der straße");
    assert_eq!(tokenizer.encode("İs").spans.last(), Some(&(2..3)));
}

#[test]
fn a_vocabulary_the_text_cannot_fill_is_an_error_that_says_what_can() {
    for (kind, _) in KINDS {
        let error = train(kind, 5000).expect_err("too large");
        let CorpusError::VocabularyTooLarge { key, asked, largest, .. } = error else { panic!("{kind:?}: {error}") };
        assert_eq!((key, asked), ("tokenizer.vocabulary", 5000));
        let fitting = train(kind, largest).unwrap_or_else(|error| panic!("{kind:?}: {error}"));
        assert_eq!(fitting.source.vocab_size(), largest, "{kind:?}");
    }
}

#[test]
fn a_vocabulary_without_room_is_an_error() {
    let error = train(TokenizerKind::Bpe, 260).expect_err("too small").to_string();
    assert_eq!(
        error,
        "tokenizer.vocabulary = 260, but 260 entries are taken by the special tokens and the 256 bytes: \
         set tokenizer.vocabulary well above 260"
    );
    assert!(train(TokenizerKind::Char, 4).is_err());
    assert_eq!(train(TokenizerKind::Bpe, 261).expect("one unit").source.vocab_size(), 261);
}

#[test]
fn separate_vocabularies_are_named_by_their_settings() {
    let config = TokenizerConfig { joint: false, vocabulary: 300, target_vocabulary: Some(9999), ..Default::default() };
    let error = Vocabularies::train_on(&PAIRS, &config).expect_err("too large").to_string();
    assert!(error.starts_with("tokenizer.target_vocabulary = 9999, but"), "{error}");
}

#[test]
fn blank_text_gives_no_vocabulary() {
    let blank = [("", " "), ("\t", "\u{a0}")];
    assert!(matches!(Vocabularies::train_on(&blank, &TokenizerConfig::default()), Err(CorpusError::NoText)));
}

#[test]
fn other_tokenizer_files_are_refused() {
    let json = tokenizer(TokenizerKind::Bpe).to_json();
    let refused = |json: &str| Tokenizer::from_json(json, "t.json").expect_err("refused").to_string();
    assert!(refused(&json[..json.len() / 2]).starts_with("`t.json` is not a tokenizer of rnnsearch: EOF"));
    assert!(refused(&json.replacen("\"NFC\"", "\"NFKC\"", 1)).contains("`normalizer`"));
    assert!(refused(&json.replacen("\"<s>\":2", "\"<bos>\":2", 1)).contains("token 2 should be <s>"));
    assert!(refused(&json.replacen("\"<0x00>\"", "\"nul\"", 1)).contains("<0x00>"));
    assert!(refused(&json.replacen("\"type\":\"Strip\"", "\"type\":\"Stripe\"", 1)).contains("t.json"));
}

#[test]
fn saved_vocabularies_are_loaded_again() {
    for joint in [false, true] {
        let folder = tempfile::tempdir().expect("a folder");
        let config = TokenizerConfig { joint, vocabulary: 300, ..Default::default() };
        let saved = Vocabularies::train_on(&PAIRS, &config).expect("vocabularies");
        for (name, json) in saved.files() {
            std::fs::write(folder.path().join(name), json).expect("saved");
        }
        let loaded = Vocabularies::load(folder.path()).expect("loaded");
        assert_eq!(loaded.is_joint(), joint);
        assert_eq!(loaded.source.to_json(), saved.source.to_json());
        assert_eq!(loaded.target.to_json(), saved.target.to_json());
        assert_eq!(saved.source.to_json() == saved.target.to_json(), joint);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let missing = Vocabularies::load(folder.path()).expect_err("missing").to_string();
    assert!(missing.contains("tokenizer.json"), "{missing}");
}

/// Vocabularies with tags, of a text that tries to write them.
fn tagged(kind: TokenizerKind, vocabulary: usize, joint: bool) -> Vocabularies {
    let pair = |(source, target): (&str, &str)| crate::Pair {
        source: format!("{source} <tag:bt>"),
        target: format!("{target} <tag:2en> tag:bt"),
        links: None,
        corpus: 0,
        place: crate::Place { file: "a".into(), line: 1 },
    };
    let config = TokenizerConfig { kind, vocabulary, joint, ..Default::default() };
    Vocabularies::train(PAIRS.map(pair).map(Ok), &config, &["2en".into(), "bt".into()]).expect("vocabularies")
}

#[test]
fn tags_are_tokens_that_no_text_has() {
    for (kind, size) in KINDS {
        let vocabularies = tagged(kind, size + 2, true);
        let tokenizer = Tokenizer::from_json(&vocabularies.source.to_json(), "test").expect("a tokenizer");
        assert_eq!(tokenizer.tags(), ["2en", "bt"], "{kind:?}");
        let [english, back] = ["2en", "bt"].map(|tag| tokenizer.tag(tag).expect("a tag"));
        assert_eq!((back, tokenizer.tag("de")), (english + 1, None));
        let are_tags: Vec<u32> = (0..tokenizer.vocab_size() as u32).filter(|&id| tokenizer.is_tag(id)).collect();
        assert_eq!(are_tags, [english, back]);
        for text in ["<tag:bt>", " <tag:bt>", "x<tag:2en>y", "<tag:bt><tag:bt>", "tag:bt", "<tag:>", "<tag:de>"] {
            let ids = tokenizer.encode_ids(text);
            assert!(!ids.contains(&back) && !ids.contains(&english), "{kind:?} takes {text} for a tag");
            let with_tag = [&[back], &ids[..], &[EOS]].concat();
            assert_eq!(tokenizer.decode(&with_tag), tokenizer.decode(&ids));
            if pipeline::spells_bytes(kind) {
                assert_eq!(tokenizer.decode(&ids), text);
            }
        }
    }
    let apart = tagged(TokenizerKind::Bpe, 330, false);
    assert_eq!((apart.source.tags().len(), apart.target.tags().len()), (2, 0));
    assert_eq!((apart.source.vocab_size(), apart.target.vocab_size()), (330, 330));
}
