//! Translations as JSON, and their alignments in the units that were asked for.

use anyhow::Result;
use rnnsearch_alignment::{Alignment, AlignmentError, END, Links, Segmentation, Sentence};
use rnnsearch_corpus::Tokenizer;
use rnnsearch_inference::{Candidate, Translation};
use serde::Serialize;

use crate::args::AlignmentForm;

/// What the tokens of an alignment are, and how it is written.
#[derive(Clone, Copy, Debug)]
pub struct Form<'a> {
    /// The tokenizer of sources, which knows their sub-words where there is no alignment.
    pub source: &'a Tokenizer,
    /// Tokens are the model's, not words.
    pub subwords: bool,
    /// Links or weights.
    pub alignments: AlignmentForm,
}

/// A translation with all that is known of it: a line of `translate --json`.
#[derive(Debug, Serialize)]
pub struct Record {
    source: String,
    translation: String,
    score: f64,
    log_prob: f64,
    source_tokens: Vec<String>,
    target_tokens: Vec<String>,
    #[serde(flatten)]
    aligned: Aligned,
    #[serde(skip_serializing_if = "Option::is_none")]
    n_best: Option<Vec<Alternative>>,
}

/// One of several translations of a source.
#[derive(Debug, Serialize)]
struct Alternative {
    translation: String,
    score: f64,
    log_prob: f64,
    target_tokens: Vec<String>,
    #[serde(flatten)]
    aligned: Aligned,
}

/// Which source tokens each target token looked at.
#[derive(Debug, Serialize)]
enum Aligned {
    /// Rows are target tokens, columns are source tokens; none in a model without attention.
    #[serde(rename = "alignment")]
    Matrix(Option<Vec<Vec<f64>>>),
    /// In Pharaoh format.
    #[serde(rename = "links")]
    Links(String),
}

impl<'a> Form<'a> {
    /// The record of a translation; with `n_best` all candidates are in it.
    pub fn record(&self, translation: &Translation, n_best: bool) -> Result<Record> {
        let best = &translation.candidates[0];
        let (source_tokens, target_tokens, aligned) = self.tokens(&translation.source, best)?;
        let alternatives = || translation.candidates.iter().map(|candidate| self.alternative(translation, candidate));
        Ok(Record {
            source: translation.source.clone(),
            translation: one_line(&best.text),
            score: best.score,
            log_prob: best.log_prob,
            source_tokens,
            target_tokens,
            aligned,
            n_best: n_best.then(|| alternatives().collect::<Result<_>>()).transpose()?,
        })
    }

    /// The links of a translation in Pharaoh format: between words as blanks separate them, or between sub-words.
    pub fn links(&self, alignment: Option<&Alignment>) -> Result<String> {
        Ok(self.linked(alignment)?.map_or_else(Links::default, |alignment| alignment.best_links()).to_string())
    }

    /// The alignment between what links number.
    fn linked(&self, alignment: Option<&Alignment>) -> Result<Option<Alignment>> {
        match alignment {
            Some(alignment) if !self.subwords => words(alignment, Segmentation::Whitespace),
            alignment => Ok(alignment.cloned()),
        }
    }

    fn alternative(&self, translation: &Translation, candidate: &Candidate) -> Result<Alternative> {
        let (_, target_tokens, aligned) = self.tokens(&translation.source, candidate)?;
        let translation = one_line(&candidate.text);
        Ok(Alternative { translation, score: candidate.score, log_prob: candidate.log_prob, target_tokens, aligned })
    }

    fn tokens(&self, source: &str, candidate: &Candidate) -> Result<(Vec<String>, Vec<String>, Aligned)> {
        if self.alignments == AlignmentForm::Pharaoh {
            let Some(linked) = self.linked(candidate.alignment.as_ref())? else {
                let (source, target) = self.unlinked(source, candidate);
                return Ok((source, target, Aligned::Links(String::new())));
            };
            let without_end = |sentence: &Sentence| {
                let tokens = sentence.tokens().iter().filter(|token| token.span().is_some());
                tokens.map(|token| token.label().to_owned()).collect()
            };
            let tokens = [linked.source(), linked.target()].map(without_end);
            let [source, target]: [Vec<String>; 2] = tokens;
            return Ok((source, target, Aligned::Links(linked.best_links().to_string())));
        }
        let in_units = |alignment: &Alignment| match self.subwords {
            true => Ok(Some(alignment.clone())),
            false => words(alignment, Segmentation::Words),
        };
        match candidate.alignment.as_ref().map(in_units).transpose()?.flatten() {
            Some(alignment) => {
                Ok((labels(alignment.source()), labels(alignment.target()), Aligned::Matrix(Some(rows(&alignment)))))
            }
            None if source.trim().is_empty() => Ok((Vec::new(), Vec::new(), Aligned::Matrix(Some(Vec::new())))),
            None => {
                let (source, target) = self.unaligned(source, candidate);
                let ended = |tokens: Vec<String>| tokens.into_iter().chain([END.to_owned()]).collect();
                Ok((ended(source), ended(target), Aligned::Matrix(None)))
            }
        }
    }

    /// The tokens that links would number.
    fn unlinked(&self, source: &str, candidate: &Candidate) -> (Vec<String>, Vec<String>) {
        if self.subwords {
            return self.unaligned(source, candidate);
        }
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        (words(source), words(&candidate.text))
    }

    /// The tokens of a source and its translation without an alignment.
    fn unaligned(&self, source: &str, candidate: &Candidate) -> (Vec<String>, Vec<String>) {
        if self.subwords {
            return (self.source.encode(source).tokens, candidate.tokens.clone());
        }
        let words = |text: &str| {
            let words = Sentence::from_words([text]).words(Segmentation::Words);
            words.into_iter().map(|word| text[word].to_owned()).collect()
        };
        (words(source), words(&candidate.text))
    }
}

/// The alignment between words; none if a side has none.
pub fn words(alignment: &Alignment, segmentation: Segmentation) -> Result<Option<Alignment>> {
    match alignment.words(segmentation) {
        Ok(words) => Ok(Some(words)),
        Err(AlignmentError::Empty(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Text that keeps to its line, whatever a vocabulary holds.
pub fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

fn labels(sentence: &Sentence) -> Vec<String> {
    sentence.tokens().iter().map(|token| token.label().to_owned()).collect()
}

/// The weights to six decimals.
fn rows(alignment: &Alignment) -> Vec<Vec<f64>> {
    let rounded = |&weight: &f32| (f64::from(weight) * 1e6).round() / 1e6;
    alignment.rows().map(|row| row.iter().map(rounded).collect()).collect()
}

#[cfg(test)]
mod tests {
    use rnnsearch_config::{TokenizerConfig, TokenizerKind};
    use rnnsearch_corpus::Vocabularies;

    use super::*;

    fn vocabularies() -> Vocabularies {
        let config = TokenizerConfig { kind: TokenizerKind::Char, vocabulary: 10, ..TokenizerConfig::default() };
        Vocabularies::train_on(&[("abcdef", "abcdef")], &config).unwrap()
    }

    fn translation(aligned: bool) -> Translation {
        let alignment = aligned.then(|| {
            let source = Sentence::from_words(["ab,", "cd"]).with_end();
            let target = Sentence::from_words(["d", "a"]).with_end();
            let weights = vec![0.1, 0.9, 0.0, 0.8, 0.1, 0.1, 0.0, 0.0, 1.0];
            Alignment::new(source, target, weights).unwrap()
        });
        let candidate = Candidate {
            text: "d a".into(),
            tokens: ["d", " a"].map(String::from).to_vec(),
            log_prob: -1.5,
            coverage: 0.0,
            score: -0.5,
            length: 3,
            finished: true,
            alignment,
        };
        Translation { source: "ab, cd".into(), pieces: 1, candidates: vec![candidate] }
    }

    fn json(form: &Form, translation: &Translation, n_best: bool) -> String {
        serde_json::to_string(&form.record(translation, n_best).unwrap()).unwrap()
    }

    #[test]
    fn a_record_has_words_and_weights() {
        let vocabularies = vocabularies();
        let form = Form { source: &vocabularies.source, subwords: false, alignments: AlignmentForm::Soft };
        assert_eq!(
            json(&form, &translation(true), false),
            r#"{"source":"ab, cd","translation":"d a","score":-0.5,"log_prob":-1.5,"source_tokens":["ab",",","cd","</s>"],"#
                .to_owned()
                + r#""target_tokens":["d","a","</s>"],"alignment":[[0.066667,0.033333,0.9,0.0],[0.533333,0.266667,0.1,0.1],"#
                + r#"[0.0,0.0,0.0,1.0]]}"#
        );
        let without = json(&form, &translation(false), true);
        assert!(
            without.contains(r#""source_tokens":["ab",",","cd","</s>"],"#) && without.contains(r#""alignment":null"#)
        );
        assert!(without.contains(r#""n_best":[{"translation":"d a","score":-0.5,"#));
    }

    #[test]
    fn subwords_are_those_the_model_wrote() {
        let vocabularies = vocabularies();
        let form = Form { source: &vocabularies.source, subwords: true, alignments: AlignmentForm::Soft };
        let json = json(&form, &translation(false), false);
        assert!(json.contains(r#""target_tokens":["d"," a","</s>"],"alignment":null"#), "{json}");
    }

    #[test]
    fn links_number_words_between_blanks() {
        let vocabularies = vocabularies();
        let form = Form { source: &vocabularies.source, subwords: false, alignments: AlignmentForm::Pharaoh };
        let json = json(&form, &translation(true), false);
        assert!(
            json.ends_with(r#""source_tokens":["ab,","cd"],"target_tokens":["d","a"],"links":"0-1 1-0"}"#),
            "{json}"
        );
    }

    #[test]
    fn a_blank_text_has_no_tokens() {
        let vocabularies = vocabularies();
        let form = Form { source: &vocabularies.source, subwords: false, alignments: AlignmentForm::Soft };
        let blank = Translation { source: " ".into(), pieces: 0, candidates: vec![Candidate::default()] };
        let json = json(&form, &blank, false);
        assert!(json.ends_with(r#""source_tokens":[],"target_tokens":[],"alignment":[]}"#), "{json}");
    }

    #[test]
    fn lines_stay_lines() {
        assert_eq!(one_line("a\r\nb\tc"), "a  b\tc");
    }
}
