//! The numbers of PyPI sacrebleu, made by `scripts/reference/sacrebleu_numbers.py`, on awkward text and word salad.

use rnnsearch_metrics::{
    BleuOptions, ChrfOptions, ChrfVariant, CorpusMetric, Smoothing, TerOptions, Tokenizer, bleu, chrf, sentence_bleu,
    ter,
};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Fixture {
    version: String,
    signatures: BTreeMap<String, String>,
    tokenized: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    corpora: Vec<Corpus>,
}

#[derive(Deserialize)]
struct Corpus {
    hypotheses: Vec<String>,
    references: Vec<String>,
    scores: BTreeMap<String, Vec<f64>>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("fixtures/sacrebleu.json")).unwrap()
}

/// The option sets, under the names that the script gives them.
enum Options {
    Bleu(BleuOptions),
    Chrf(ChrfOptions),
    Ter(TerOptions),
}

impl Options {
    fn named(name: &str) -> Self {
        let (bleu, chrf, ter) = (BleuOptions::default(), ChrfOptions::default(), TerOptions::default());
        let effective = |smoothing| Self::Bleu(BleuOptions { smoothing, ..BleuOptions::for_sentences() });
        match name {
            "bleu" => Self::Bleu(bleu),
            "bleu lowercase" => Self::Bleu(BleuOptions { lowercase: true, ..bleu }),
            "bleu intl" => Self::Bleu(BleuOptions { tokenizer: Tokenizer::Intl, ..bleu }),
            "bleu char" => Self::Bleu(BleuOptions { tokenizer: Tokenizer::Char, ..bleu }),
            "bleu zh" => Self::Bleu(BleuOptions { tokenizer: Tokenizer::Zh, ..bleu }),
            "bleu none" => Self::Bleu(BleuOptions { tokenizer: Tokenizer::None, ..bleu }),
            "bleu effective" => effective(Smoothing::Exp),
            "bleu unsmoothed" => effective(Smoothing::None),
            "bleu floor" => effective(Smoothing::Floor(0.25)),
            "bleu add-k" => effective(Smoothing::AddK(1.0)),
            "chrf" => Self::Chrf(chrf),
            "chrf+" => Self::Chrf(ChrfOptions { variant: ChrfVariant::ChrfPlus, ..chrf }),
            "chrf++" => Self::Chrf(ChrfOptions::plus_plus()),
            "chrf++ lowercase" => Self::Chrf(ChrfOptions { lowercase: true, ..ChrfOptions::plus_plus() }),
            "chrf whitespace" => Self::Chrf(ChrfOptions { whitespace: true, ..chrf }),
            "chrf3" => Self::Chrf(ChrfOptions { beta: 3, ..chrf }),
            "ter" => Self::Ter(ter),
            "ter case" => Self::Ter(TerOptions { case_sensitive: true, ..ter }),
            "ter normalized" => Self::Ter(TerOptions { normalized: true, ..ter }),
            "ter no punctuation" => Self::Ter(TerOptions { no_punctuation: true, ..ter }),
            "ter asian" => Self::Ter(TerOptions { normalized: true, asian_support: true, ..ter }),
            "ter everything" => {
                let [case_sensitive, normalized, no_punctuation, asian_support] = [true; 4];
                Self::Ter(TerOptions { case_sensitive, normalized, no_punctuation, asian_support })
            }
            _ => panic!("the fixture has options that this test does not know: {name}"),
        }
    }

    fn signature(&self) -> String {
        match self {
            Self::Bleu(options) => options.signature(),
            Self::Chrf(options) => options.signature(),
            Self::Ter(options) => options.signature(),
        }
    }

    /// The numbers that the script wrote.
    fn numbers(&self, hypotheses: &[String], references: &[String]) -> Vec<f64> {
        match self {
            Self::Bleu(options) => {
                let score = bleu(hypotheses, references, options).unwrap();
                let lengths = [score.hypothesis_length, score.reference_length].map(|length| length as f64);
                [vec![score.score, score.brevity_penalty], lengths.to_vec(), score.precisions.to_vec()].concat()
            }
            Self::Chrf(options) => vec![chrf(hypotheses, references, options).unwrap().score],
            Self::Ter(options) => {
                let score = ter(hypotheses, references, options).unwrap();
                vec![score.score, score.edits as f64, score.reference_length as f64]
            }
        }
    }

    fn pairwise(&self, hypotheses: &[String], references: &[String]) -> Vec<Vec<f64>> {
        match self {
            Self::Bleu(options) => options.pairwise(hypotheses, references),
            Self::Chrf(options) => options.pairwise(hypotheses, references),
            Self::Ter(options) => options.pairwise(hypotheses, references),
        }
    }
}

fn close(ours: &[f64], theirs: &[f64]) -> bool {
    ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| (a - b).abs() <= 1e-9 * b.abs().max(1.0))
}

#[test]
fn all_numbers_agree() {
    let mut compared = 0;
    for corpus in fixture().corpora {
        for (name, theirs) in &corpus.scores {
            let ours = Options::named(name).numbers(&corpus.hypotheses, &corpus.references);
            let text = || (&corpus.hypotheses, &corpus.references);
            assert!(close(&ours, theirs), "{name}: {ours:?}, sacrebleu {theirs:?}, on {:#?}", text());
            compared += 1;
        }
    }
    assert_eq!(compared, 115 * 22);
}

#[test]
fn tokens_agree() {
    for (text, expected) in fixture().tokenized {
        for (name, theirs) in expected {
            let tokenizer: Tokenizer = name.parse().unwrap();
            assert_eq!(tokenizer.tokenize(&text), theirs, "{name}: {text:?}");
        }
    }
}

#[test]
fn signatures_agree_but_for_the_program() {
    let fixture = fixture();
    assert_eq!(fixture.signatures.len(), 22);
    for (name, theirs) in &fixture.signatures {
        let ours = Options::named(name).signature();
        let (ours, program) = ours.split_once("|version:").unwrap();
        assert_eq!(theirs, &format!("{ours}|version:{}", fixture.version), "{name}");
        assert_eq!(program, concat!("rnnsearch-", env!("CARGO_PKG_VERSION"), "/sacrebleu-2.6-compatible"));
    }
}

#[test]
fn pairwise_scores_are_sentence_scores() {
    let corpora = fixture().corpora;
    let corpus = corpora.iter().rfind(|corpus| corpus.hypotheses.len() > 4).unwrap();
    for name in ["bleu effective", "chrf++", "ter"] {
        let options = Options::named(name);
        let matrix = options.pairwise(&corpus.hypotheses, &corpus.references[1..]);
        for (row, h) in matrix.iter().zip(&corpus.hypotheses) {
            for (&score, r) in row.iter().zip(&corpus.references[1..]) {
                let alone = options.numbers(std::slice::from_ref(h), std::slice::from_ref(r))[0];
                assert_eq!(score, alone, "{name}: {h:?} against {r:?}");
            }
        }
        assert_eq!((matrix.len(), matrix[0].len()), (corpus.hypotheses.len(), corpus.references.len() - 1));
    }
}

#[test]
fn a_sentence_is_a_corpus_of_one() {
    for corpus in fixture().corpora.iter().filter(|corpus| corpus.hypotheses.len() == 1) {
        let score = sentence_bleu(&corpus.hypotheses[0], &corpus.references[0], &BleuOptions::for_sentences());
        assert!(close(&[score.score], &corpus.scores["bleu effective"][..1]));
    }
}
