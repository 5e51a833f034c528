//! Whatever the text: no panics, scores in range, pictures that are XML.

use proptest::prelude::*;
use rnnsearch_metrics::{
    BleuOptions, Bootstrap, Category, ChrfOptions, CorpusMetric, Figure, LengthMetric, Line, LineKind, Panel, Point,
    Smoothing, TerOptions, Theme, Tokenizer, by_length, length_figure, sentence_bleu, sentence_chrf, sentence_ter,
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
        let report = by_length(&lengths, &hypotheses, &references, &[10, 100], &bleu, &chrf, None).unwrap();
        prop_assert_eq!(report.rows.iter().map(|row| row.sentences).sum::<usize>(), hypotheses.len());
        assert_xml(&length_figure("t", &[("a", &report), ("b", &report)], LengthMetric::Bleu).svg(Theme::Light));

        let bootstrap = Bootstrap { resamples: 50, seed };
        let interval = bootstrap.interval(&chrf, &hypotheses, &references).unwrap();
        prop_assert!(interval.lower <= interval.mean + 1e-9 && interval.mean <= interval.upper + 1e-9);
        let compared = bootstrap.compare(&chrf, &hypotheses, &references, &references).unwrap();
        prop_assert_eq!(compared.baseline, interval);
        prop_assert!(compared.p_value > 0.0 && compared.p_value <= 1.0);
    }

    #[test]
    fn figures_are_xml_and_as_wide_as_asked_for(
        [title, name, label] in [any::<String>(), any::<String>(), any::<String>()],
        rows in proptest::collection::vec(proptest::collection::vec(any::<(f64, f64, Option<[f64; 2]>)>(), 0..30), 0..20),
        (categories, panels, from_zero, thin) in (0..30usize, 0..4usize, any::<bool>(), any::<bool>()),
    ) {
        let category = Category { label: label.clone(), note: name.clone() };
        let point = |(x, y, interval)| Point { x, y, interval };
        let kind = if thin { LineKind::Thin } else { LineKind::Marked };
        let line = |(name, points): (usize, Vec<_>)| Line { name, kind, points: points.into_iter().map(point).collect() };
        let names = vec![name.clone(); rows.len()];
        let lines = rows.into_iter().enumerate().map(line).collect();
        let panel = Panel { title: label.clone(), x_label: label, categories: vec![category; categories], from_zero, lines };
        let figure = Figure { subtitle: name, title, names, panels: vec![panel; panels] };
        assert_xml(&figure.svg(Theme::Dark));
        prop_assert!(figure.html(None).ends_with("</html>\n"));
        prop_assert!(figure.terminal(80, false).chars().all(|c| c == '\n' || !c.is_control()));
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
