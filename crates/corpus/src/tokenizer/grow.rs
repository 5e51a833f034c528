//! Vocabularies that grow: what another text has and the first did not, for a model that goes on with it.
//!
//! New tokens come after those there are, which keep their ids, so a model keeps what it knows of them. With byte-pair encoding the
//! merges go on where they stopped: known merges first, so a text is cut as before but where new merges join what is left. What a new
//! token is made of follows from the tokenizers alone.

use std::collections::{BTreeSet, HashMap};

use rnnsearch_config::{TokenizerConfig, TokenizerKind};
use tokenizers::{Model, ModelWrapper};

use super::alphabet::{Alphabet, most_frequent};
use super::train::{Learned, WordCounts};
use super::{Piece, Tokenizer, UNK, byte_token, merges, tag_token};

impl Tokenizer {
    /// This vocabulary with at most `most` tokens more, the most frequent of a text, and with these tags; one that cannot grow stays.
    pub(crate) fn grown(&self, counts: WordCounts, config: &TokenizerConfig, most: usize, tags: &[String]) -> Self {
        let missing = tags.iter().filter(|tag| self.tag(tag).is_none()).map(|tag| tag_token(tag));
        let mut tokens: Vec<String> = self.raw_tokens().chain(missing).collect();
        let words = counts.sorted();
        let frequency = config.min_frequency;
        let mut all_merges = self.merge_texts();
        match self.kind {
            TokenizerKind::Wordlevel => {
                let known: BTreeSet<&String> = tokens.iter().collect();
                let unknown: HashMap<String, u64> =
                    words.into_iter().filter(|(word, _)| !known.contains(word)).collect();
                tokens.extend(most_frequent(unknown, most, frequency));
            }
            TokenizerKind::Char => tokens.extend(self.new_characters(&words, most, frequency)),
            TokenizerKind::Bpe => {
                // Where a script is new, half of the room is kept for longer units.
                let characters = self.new_characters(&words, most.div_ceil(2), frequency);
                let room = most - characters.len();
                let known = self.pieces.iter().filter_map(Piece::text).filter(|text| text.chars().nth(1).is_none());
                let alphabet = Alphabet::of(known.map(str::to_owned).chain(characters.iter().cloned()).collect());
                let more = merges::learn_more(&words, &alphabet, &all_merges, room, frequency);
                tokens.extend(characters.into_iter().chain(more.units));
                all_merges.extend(more.merges);
            }
            TokenizerKind::Unigram | TokenizerKind::Wordpiece => {}
        }
        let model = self.rebuilt(tokens, all_merges);
        Self::assemble(self.kind, config.lowercase, model).expect("a grown model makes a tokenizer")
    }

    /// The characters of words that it cannot spell, the most frequent ones.
    fn new_characters(&self, words: &[(String, u64)], most: usize, frequency: u64) -> Vec<String> {
        let known: BTreeSet<&str> = self.pieces.iter().filter_map(Piece::text).collect();
        let unknown = |word: &String| -> String {
            word.chars().filter(|c| !known.contains(c.encode_utf8(&mut [0; 4]) as &str)).collect()
        };
        let unknown: Vec<(String, u64)> = words.iter().map(|(word, count)| (unknown(word), *count)).collect();
        Alphabet::new(&unknown, "", most, frequency).units().to_vec()
    }

    /// For each token beyond those of `known`, which this vocabulary has grown from, the known tokens that stood in its place. Nothing
    /// stood in that of a tag.
    pub fn made_of(&self, known: &Self) -> Vec<Vec<u32>> {
        let first = known.vocab_size() as u32;
        let mut joins: HashMap<u32, [u32; 2]> = HashMap::new();
        for [left, right, token] in self.merges() {
            joins.entry(token).or_insert([left, right]);
        }
        let id = |token: &str| self.inner.get_model().token_to_id(token).expect("a known token");
        let mut made: Vec<Vec<u32>> = Vec::new();
        for token in first..self.vocab_size() as u32 {
            // What a unit is made of comes before it.
            let of = |part: u32| if part < first { vec![part] } else { made[(part - first) as usize].clone() };
            let parts = match (self.text_of(token), joins.get(&token)) {
                (None, _) => Vec::new(),
                (_, Some([left, right])) => [of(*left), of(*right)].concat(),
                (Some(text), None) if self.kind == TokenizerKind::Bpe => {
                    text.bytes().map(|byte| id(&byte_token(byte))).collect()
                }
                _ => vec![UNK],
            };
            made.push(parts);
        }
        made
    }

    /// All tokens, as the file has them.
    fn raw_tokens(&self) -> impl Iterator<Item = String> {
        (0..self.vocab_size() as u32).map(|id| self.inner.get_model().id_to_token(id).expect("ids have no gaps"))
    }

    fn rebuilt(&self, tokens: Vec<String>, merges: Vec<(String, String)>) -> ModelWrapper {
        let model = match self.kind {
            TokenizerKind::Bpe => Learned::Merges(merges::Subwords { units: tokens, merges }),
            TokenizerKind::Wordlevel | TokenizerKind::Char => Learned::Units(tokens),
            TokenizerKind::Unigram | TokenizerKind::Wordpiece => return self.inner.get_model().clone(),
        };
        // The reserved tokens are among those there are.
        model.into_model(self.kind, Vec::new()).expect("a grown vocabulary makes a model")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Vocabularies;
    use crate::tokenizer::SPECIAL_TOKENS;

    const FIRST: [(&str, &str); 2] =
        [("Die Katze schläft.", "The cat sleeps."), ("Der Hund schläft.", "The dog sleeps.")];

    fn config(kind: TokenizerKind) -> TokenizerConfig {
        let vocabulary = match kind {
            TokenizerKind::Bpe => 300,
            TokenizerKind::Wordlevel => 12,
            _ => 24,
        };
        TokenizerConfig { kind, vocabulary, ..TokenizerConfig::default() }
    }

    fn grown(kind: TokenizerKind, text: &[&str], most: usize, tags: &[&str]) -> [Tokenizer; 2] {
        let known = Vocabularies::train_on(&FIRST, &config(kind)).unwrap();
        let mut counts = WordCounts::new(&config(kind));
        counts.add(text);
        let tags: Vec<String> = tags.iter().map(|tag| tag.to_string()).collect();
        let grown = known.source.grown(counts, &config(kind), most, &tags);
        let known = Tokenizer::from_json(&known.source.to_json(), "known").unwrap();
        [known, Tokenizer::from_json(&grown.to_json(), "grown").unwrap()]
    }

    #[test]
    fn known_tokens_keep_their_ids() {
        for kind in [TokenizerKind::Bpe, TokenizerKind::Wordlevel, TokenizerKind::Char] {
            let [known, grown] = grown(kind, &["Кошка спит, кошка спит.", "Die Katzen schlafen"], 6, &["bt"]);
            assert_eq!(grown.vocab_size(), known.vocab_size() + 6 + 1, "{kind:?}");
            for id in 0..known.vocab_size() as u32 {
                assert_eq!(grown.token(id), known.token(id), "{kind:?}");
            }
            let tag = grown.tag("bt").unwrap();
            assert!(tag == known.vocab_size() as u32 && grown.is_tag(tag) && grown.text_of(tag).is_none());
            let made = grown.made_of(&known);
            assert!(made[0].is_empty() && made[1..].iter().all(|parts| !parts.is_empty()), "{kind:?} {made:?}");
        }
        assert_eq!(SPECIAL_TOKENS.len(), 4);
    }

    #[test]
    fn new_words_are_cut_into_fewer_tokens() {
        let text = "Кошка спит";
        let [known, grown] = grown(TokenizerKind::Bpe, &[text; 5], 30, &[]);
        let (before, after) = (known.encode_ids(text), grown.encode_ids(text));
        assert!(after.len() == 2 && before.len() > 15, "{before:?} {after:?}");
        // Both words are new as a whole: what they are made of is what they were cut into.
        let made = grown.made_of(&known);
        let parts: Vec<u32> = after.iter().flat_map(|&id| made[id as usize - known.vocab_size()].clone()).collect();
        assert_eq!(parts, before);
    }

    #[test]
    fn what_is_known_is_not_learnt_again() {
        for kind in [TokenizerKind::Wordlevel, TokenizerKind::Char] {
            let [known, grown] = grown(kind, &["Die Katze schläft. The dog sleeps."], 50, &[]);
            let new: Vec<_> = (known.vocab_size()..grown.vocab_size()).map(|id| grown.token(id as u32)).collect();
            let expected = config(kind).vocabulary;
            assert!(known.vocab_size() == expected && new.iter().flatten().all(|token| token.len() < 10), "{new:?}");
            let mut all: Vec<_> = (0..grown.vocab_size() as u32).map(|id| grown.token(id)).collect();
            all.sort();
            all.dedup();
            assert_eq!(all.len(), grown.vocab_size(), "{kind:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..Default::default() })]

        #[test]
        fn any_text_still_comes_back(text in "(Katze|Hund|[a-zäö☃ ,.]){0,20}", more in "[a-zäöü ]{1,60}", most in 0_usize..40) {
            let [known, grown] = grown(TokenizerKind::Bpe, &[&more], most, &[]);
            prop_assert!(grown.vocab_size() <= known.vocab_size() + most);
            prop_assert_eq!(grown.decode(&grown.encode_ids(&text)), known.decode(&known.encode_ids(&text)));
            let made = grown.made_of(&known);
            let ids = grown.encode_ids(&text);
            let first = known.vocab_size() as u32;
            let parts: Vec<u32> =
                ids.iter().flat_map(|&id| if id < first { vec![id] } else { made[(id - first) as usize].clone() }).collect();
            prop_assert_eq!(known.decode(&parts), known.decode(&known.encode_ids(&text)));
        }
    }
}
