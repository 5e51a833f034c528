//! Whatever the text: no panics, scores in range, pictures that are XML.

use proptest::prelude::*;
use rnnsearch_metrics::{
    BleuOptions, Bootstrap, Category, Chart, ChrfOptions, CorpusMetric, LengthMetric, Series, Smoothing, TerOptions,
    Tokenizer, by_length, length_chart, sentence_bleu, sentence_chrf, sentence_ter,
};

/// Any characters, or many of the few that the rules look at.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), r#"[ab1 .,'&;<>()\n\t\x1c\u{a0}。水-]{0,60}"#, "([abc] ){0,80}"]
}

fn corpus() -> impl Strategy<Value = Vec<(String, String)>> {
    proptest::collection::vec((text(), text()), 1..6)
}

fn bleu_options() -> impl Strategy<Value = BleuOptions> {
    const SMOOTHING: [Smoothing; 4] = [Smoothing::None, Smoothing::Exp, Smoothing::Floor(0.1), Smoothing::AddK(1.0)];
    let choices = (prop::sample::select(&Tokenizer::ALL), any::<[bool; 2]>(), prop::sample::select(&SMOOTHING));
    choices.prop_map(|(tokenizer, [lowercase, effective_order], smoothing)| BleuOptions {
        tokenizer,
        lowercase,
        smoothing,
        effective_order,
    })
}

fn ter_options() -> impl Strategy<Value = TerOptions> {
    any::<[bool; 4]>().prop_map(|[case_sensitive, normalized, no_punctuation, asian_support]| TerOptions {
        case_sensitive,
        normalized,
        no_punctuation,
        asian_support,
    })
}

fn in_percent(score: f64) -> bool {
    (0.0..=100.0 + 1e-9).contains(&score)
}

fn assert_xml(svg: &str) {
    let document = roxmltree::Document::parse(svg).unwrap();
    assert_eq!(document.root_element().tag_name().name(), "svg");
}

proptest! {
    #[test]
    fn scores_are_in_range(h in text(), r in text(), bleu in bleu_options(), ter in ter_options()) {
        prop_assert!(in_percent(sentence_bleu(&h, &r, &bleu).score));
        prop_assert!(in_percent(sentence_chrf(&h, &r, &ChrfOptions::default()).score));
        prop_assert!(in_percent(sentence_chrf(&h, &r, &ChrfOptions::plus_plus()).score));
        let edits = sentence_ter(&h, &r, &ter);
        prop_assert!(edits.score >= 0.0 && edits.score.is_finite());
    }

    #[test]
    fn a_text_is_its_own_best_translation(text in text()) {
        prop_assert_eq!(sentence_ter(&text, &text, &TerOptions::default()).score, 0.0);
        let empty = text.split_whitespace().all(|word| word.chars().all(|c| ('\u{1c}'..='\u{1f}').contains(&c)));
        let best = if empty { 0.0 } else { 100.0 };
        prop_assert!((sentence_chrf(&text, &text, &ChrfOptions::plus_plus()).score - best).abs() < 1e-9);
        let bleu = BleuOptions { tokenizer: Tokenizer::None, ..BleuOptions::for_sentences() };
        prop_assert!((sentence_bleu(&text, &text, &bleu).score - best).abs() < 1e-9);
    }

    #[test]
    fn reports_and_intervals_hold_together(corpus in corpus(), lengths in any::<[u8; 6]>(), seed in any::<u64>()) {
        let (hypotheses, references): (Vec<_>, Vec<_>) = corpus.into_iter().unzip();
        let lengths: Vec<usize> = lengths[..hypotheses.len()].iter().map(|&length| length.into()).collect();
        let (bleu, chrf) = (BleuOptions::default(), ChrfOptions::plus_plus());
        let report = by_length(&lengths, &hypotheses, &references, &[10, 100], &bleu, &chrf).unwrap();
        prop_assert_eq!(report.rows.iter().map(|row| row.sentences).sum::<usize>(), hypotheses.len());
        assert_xml(&length_chart("t", &[("a", &report), ("b", &report)], LengthMetric::Bleu).to_svg());

        let bootstrap = Bootstrap { resamples: 50, seed };
        let interval = bootstrap.interval(&chrf, &hypotheses, &references).unwrap();
        prop_assert!(interval.lower <= interval.mean + 1e-9 && interval.mean <= interval.upper + 1e-9);
        let compared = bootstrap.compare(&chrf, &hypotheses, &references, &references).unwrap();
        prop_assert_eq!(compared.baseline, interval);
        prop_assert!(compared.p_value > 0.0 && compared.p_value <= 1.0);
    }

    #[test]
    fn charts_are_xml(
        [title, name, label] in [any::<String>(), any::<String>(), any::<String>()],
        rows in proptest::collection::vec(proptest::collection::vec(any::<Option<f64>>(), 0..30), 0..20),
        categories in 0..30usize,
    ) {
        let category = Category { label: label.clone(), note: name.clone() };
        let chart = Chart {
            subtitle: title.clone(), title, x_label: label.clone(), y_label: label,
            categories: vec![category; categories],
            series: rows.into_iter().map(|values| Series { name: name.clone(), values }).collect(),
        };
        let svg = chart.to_svg();
        assert_xml(&svg);
        prop_assert!(!svg.contains("NaN") || chart.title.contains("NaN"));
    }
}

/// Lines without end must not take memory or time without end.
#[test]
fn enormous_lines_are_scored() {
    let line = |step: usize| (0..20_000).map(|i| format!("w{} ", i * step % 5000)).collect::<String>();
    let (hypothesis, reference) = (line(7), line(11));
    assert!(sentence_ter(&hypothesis, &reference, &TerOptions::default()).score > 0.0);
    assert!(in_percent(sentence_bleu(&hypothesis, &reference, &BleuOptions::default()).score));
    assert!(in_percent(ChrfOptions::plus_plus().score(&ChrfOptions::plus_plus().statistics(&hypothesis, &reference))));
}
