//! Minimum Bayes risk: of several translations, the one that the others agree with most (Kumar & Byrne 2004).

use rnnsearch_config::Utility;
use rnnsearch_metrics::{BleuOptions, ChrfOptions, sentence_bleu, sentence_chrf};

/// The order of translations by their mean agreement with all others, best first; of equals, as they stood.
pub(crate) fn order(utility: Utility, texts: &[&str]) -> Vec<usize> {
    let mean = |hypothesis: usize| -> f64 {
        let others = (0..texts.len()).filter(|other| *other != hypothesis);
        others.map(|other| agreement(utility, texts[hypothesis], texts[other])).sum()
    };
    let means: Vec<f64> = (0..texts.len()).map(mean).collect();
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by(|&a, &b| means[b].total_cmp(&means[a]));
    order
}

/// How much a translation agrees with another, from 0 to 100.
pub fn agreement(utility: Utility, hypothesis: &str, reference: &str) -> f64 {
    match utility {
        Utility::Chrf => sentence_chrf(hypothesis, reference, &ChrfOptions::default()).score,
        Utility::Bleu => sentence_bleu(hypothesis, reference, &BleuOptions::for_sentences()).score,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_all_comes_first() {
        let texts = ["a red car", "the red car is here", "the red car was here", "the red car is there", "nothing"];
        for utility in [Utility::Chrf, Utility::Bleu] {
            let order = order(utility, &texts);
            assert_eq!((order[0], order[4]), (1, 4), "{utility:?} {order:?}");
        }
        assert_eq!(order(Utility::Chrf, &["b", "b", "b"]), [0, 1, 2]);
        assert!(order(Utility::Chrf, &[]).is_empty());
    }
}
