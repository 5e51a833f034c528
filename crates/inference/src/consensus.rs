//! Minimum Bayes risk: of several translations, the one that the others agree with most (Kumar & Byrne 2004).

use rnnsearch_metrics::{BleuOptions, ChrfOptions, sentence_bleu, sentence_chrf};

/// How much one translation agrees with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Utility {
    /// chrF2 of sentences.
    Chrf,
    /// BLEU of sentences, smoothed.
    Bleu,
}

impl Utility {
    /// The order of translations by their mean agreement with all others, best first; of equals, as they stood.
    pub(crate) fn order(self, texts: &[&str]) -> Vec<usize> {
        let mean = |hypothesis: usize| -> f64 {
            let others = (0..texts.len()).filter(|other| *other != hypothesis);
            others.map(|other| self.of(texts[hypothesis], texts[other])).sum()
        };
        let means: Vec<f64> = (0..texts.len()).map(mean).collect();
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by(|&a, &b| means[b].total_cmp(&means[a]));
        order
    }

    fn of(self, hypothesis: &str, reference: &str) -> f64 {
        match self {
            Self::Chrf => sentence_chrf(hypothesis, reference, &ChrfOptions::default()).score,
            Self::Bleu => sentence_bleu(hypothesis, reference, &BleuOptions::for_sentences()).score,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_all_comes_first() {
        let texts = ["a red car", "the red car is here", "the red car was here", "the red car is there", "nothing"];
        for utility in [Utility::Chrf, Utility::Bleu] {
            let order = utility.order(&texts);
            assert_eq!((order[0], order[4]), (1, 4), "{utility:?} {order:?}");
        }
        assert_eq!(Utility::Chrf.order(&["b", "b", "b"]), [0, 1, 2]);
        assert!(Utility::Chrf.order(&[]).is_empty());
    }
}
