//! Data sets and the batches made of them.

use std::collections::BTreeSet;

use proptest::prelude::*;
use rnnsearch_config::{
    BatchBy, CorpusConfig, CurriculumConfig, DataConfig, TokenizerConfig, TokenizerKind, TrainingConfig,
};
use rnnsearch_corpus::{
    BOS, Batch, BatchPlan, CorpusError, Dataset, EOS, Example, FilterReport, PAD, Pair, Place, Reason, Vocabularies,
    WordLinks, encode_training,
};

fn vocabularies() -> Vocabularies {
    let config = TokenizerConfig { kind: TokenizerKind::Char, vocabulary: 14, ..Default::default() };
    Vocabularies::train_on(&[("abcde fghi", "")], &config).expect("a vocabulary")
}

fn pair(source: &str, target: &str, line: u64) -> Pair {
    Pair {
        source: source.into(),
        target: target.into(),
        links: None,
        corpus: 0,
        place: Place { file: "a.de".into(), line },
    }
}

/// Examples of the lengths given, `</s>` included, with ids that tell where they stand.
fn dataset(lengths: &[(usize, usize)]) -> Dataset {
    let mut dataset = Dataset::new(&vocabularies());
    for (number, &(source, target)) in lengths.iter().enumerate() {
        let side = |length: usize| {
            let ids = (0..length - 1).map(|position| 4 + ((number + position) % 10) as u32);
            ids.chain([EOS]).collect()
        };
        dataset.push(&Example { source: side(source), target: side(target), links: vec![] }).expect("room");
    }
    dataset
}

fn lengths() -> impl Strategy<Value = Vec<(usize, usize)>> {
    proptest::collection::vec((1_usize..20, 1_usize..20), 0..150)
}

fn settings() -> impl Strategy<Value = TrainingConfig> {
    let by = prop_oneof![Just(BatchBy::Sentences), Just(BatchBy::Tokens)];
    (any::<u64>(), by, 1_usize..60, 1_usize..6).prop_map(|(seed, batch_by, batch_size, sort_batches)| TrainingConfig {
        seed,
        batch_by,
        batch_size,
        sort_batches,
        ..Default::default()
    })
}

fn all(plan: &BatchPlan) -> Vec<u32> {
    plan.iter_from(0).flatten().copied().collect()
}

#[test]
fn a_curriculum_begins_with_short_sentences() {
    let lengths: Vec<(usize, usize)> = (0..100).map(|i| (1 + i * 7 % 23, 1 + i * 5 % 19)).collect();
    let dataset = dataset(&lengths);
    let curriculum = CurriculumConfig { epochs: 4, start: 0.2 };
    let training = TrainingConfig { batch_size: 7, curriculum, ..TrainingConfig::default() };
    let length = |index: u32| dataset.source_len(index) + dataset.target_len(index);
    // √(0.04 + 0.96 t / 4)
    for (epoch, expected) in [(0, 20), (1, 53), (2, 73), (3, 88), (4, 100), (9, 100)] {
        let kept: BTreeSet<u32> = all(&BatchPlan::epoch(&dataset, &training, epoch)).into_iter().collect();
        assert_eq!(kept.len(), expected, "epoch {epoch}");
        let longest = kept.iter().map(|&index| length(index)).max().unwrap();
        assert!((0..100).filter(|index| !kept.contains(index)).all(|index| length(index) >= longest), "epoch {epoch}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn every_example_is_seen_once_an_epoch(lengths in lengths(), settings in settings(), epoch in 0_u64..9) {
        let dataset = dataset(&lengths);
        let (by, size) = (settings.batch_by, settings.batch_size);
        let plans = [
            BatchPlan::epoch(&dataset, &settings, epoch),
            BatchPlan::in_order(&dataset, by, size),
            BatchPlan::by_length(&dataset, by, size),
        ];
        for plan in plans {
            let seen = all(&plan);
            prop_assert_eq!(seen.len(), lengths.len());
            prop_assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), (0..lengths.len() as u32).collect());
            prop_assert!(plan.iter_from(0).all(|batch| !batch.is_empty()));
        }
    }

    #[test]
    fn batches_keep_their_bound(lengths in lengths(), settings in settings()) {
        let dataset = dataset(&lengths);
        for indices in BatchPlan::epoch(&dataset, &settings, 0).iter_from(0) {
            let batch = Batch::new(&dataset, indices);
            match settings.batch_by {
                BatchBy::Sentences => prop_assert!(indices.len() <= settings.batch_size),
                BatchBy::Tokens => prop_assert!(
                    indices.len() == 1 || batch.source.ids.len().max(batch.target_out.ids.len()) <= settings.batch_size
                ),
            }
        }
    }

    #[test]
    fn the_order_depends_on_seed_and_epoch_alone(lengths in lengths(), settings in settings(), epoch in 0_u64..9) {
        let dataset = dataset(&lengths);
        let plan = BatchPlan::epoch(&dataset, &settings, epoch);
        prop_assert_eq!(&plan, &BatchPlan::epoch(&dataset.clone(), &settings.clone(), epoch));
        let middle = plan.len() / 2;
        prop_assert!(plan.iter_from(middle).eq(plan.iter_from(0).skip(middle)));
        // A dozen batches come in the same order once in 12! times.
        if plan.len() >= 12 {
            prop_assert_ne!(all(&plan), all(&BatchPlan::epoch(&dataset, &settings, epoch + 1)));
            let other = TrainingConfig { seed: settings.seed.wrapping_add(1), ..settings };
            prop_assert_ne!(all(&plan), all(&BatchPlan::epoch(&dataset, &other, epoch)));
        }
    }

    #[test]
    fn batches_hold_their_examples_and_padding(lengths in lengths(), settings in settings()) {
        let dataset = dataset(&lengths);
        for indices in BatchPlan::epoch(&dataset, &settings, 0).iter_from(0) {
            let batch = Batch::new(&dataset, indices);
            let mut sorted = batch.indices.clone();
            sorted.sort_by_key(|&index| (std::cmp::Reverse((dataset.target_len(index), dataset.source_len(index))), index));
            prop_assert_eq!(&batch.indices, &sorted);
            for (column, &index) in batch.indices.iter().enumerate() {
                let Example { source, target, .. } = dataset.example(index);
                let shifted: Vec<u32> = [&[BOS], &target[..target.len() - 1]].concat();
                for (padded, expected) in [(&batch.source, source), (&batch.target_in, shifted), (&batch.target_out, target)] {
                    prop_assert_eq!(padded.lengths[column], expected.len());
                    let mut ids = padded.ids.chunks(padded.sequences()).map(|row| row[column] as u32);
                    prop_assert!(ids.by_ref().take(expected.len()).eq(expected));
                    prop_assert!(ids.all(|id| id == PAD));
                }
            }
        }
    }
}

/// The order is part of what a resumed training relies on: it may not change with a version of anything.
#[test]
fn the_order_of_seed_1_is_what_it_always_was() {
    let dataset = dataset(&[(3, 3); 10]);
    let settings = TrainingConfig { batch_size: 4, sort_batches: 2, ..Default::default() };
    assert_eq!(all(&BatchPlan::epoch(&dataset, &settings, 0)), [0, 8, 1, 9, 7, 2, 5, 6, 4, 3]);
}

#[test]
fn sentences_of_similar_length_share_a_batch() {
    let lengths: Vec<(usize, usize)> = (0..1000).map(|n| (1 + n * 7 % 19, 1 + n * 11 % 17)).collect();
    let dataset = dataset(&lengths);
    let padding = |sort_batches| {
        let settings = TrainingConfig { batch_size: 10, sort_batches, ..Default::default() };
        let plan = BatchPlan::epoch(&dataset, &settings, 0);
        assert_eq!(plan.len(), 100);
        let cells: usize = plan.iter_from(0).map(|batch| Batch::new(&dataset, batch).target_out.ids.len()).sum();
        cells - dataset.target_tokens()
    };
    assert!(padding(20) * 10 < padding(1), "{} {}", padding(20), padding(1));
}

fn for_training(pairs: Vec<Pair>, data: &DataConfig) -> Result<(Dataset, FilterReport), CorpusError> {
    encoded(pairs, &vocabularies(), data)
}

/// Training pairs in memory.
fn encoded(
    pairs: Vec<Pair>,
    vocabularies: &Vocabularies,
    data: &DataConfig,
) -> Result<(Dataset, FilterReport), CorpusError> {
    let mut dataset = Dataset::new(vocabularies);
    let report = encode_training(pairs.into_iter().map(Ok), vocabularies, data, |_, example| dataset.push(example))?;
    Ok((dataset, report))
}

#[test]
fn pairs_out_of_the_limits_are_left_out_and_counted() {
    let data = DataConfig { max_length: 6, min_length: 2, max_ratio: 2.0, ..Default::default() };
    let pairs = vec![
        pair("abc", "def", 1),
        pair("", "def", 2),
        pair("abc", " \u{a0}", 3),
        pair("abcdefg", "abcde", 4),
        pair("abcde", "a", 5),
        pair("ab", "abcde", 6),
        pair("ab", "abcd", 7),
        pair("abcdefghi", "abcdefghi", 8),
    ];
    let (dataset, report) = for_training(pairs, &data).expect("pairs");
    assert_eq!((dataset.len(), report.kept, report.total()), (2, 2, 8));
    assert_eq!(dataset.example(1), Example { source: vec![5, 6, EOS], target: vec![5, 6, 7, 8, EOS], links: vec![] });
    assert_eq!(report.dropped(Reason::TooLong).examples[1].line, 8);
    assert_eq!(
        report.to_string(),
        "2 of 8 pairs kept; left out: 2 with a blank side (a.de:2, a.de:3); 2 over 6 tokens (a.de:4, a.de:8); \
         1 under 2 tokens (a.de:5); 1 longer than 2 times the other side (a.de:6)"
    );
}

#[test]
fn a_corpus_of_blank_lines_is_an_error() {
    let blank = (1..=5).map(|line| pair("", "\t", line)).collect();
    let error = for_training(blank, &DataConfig::default()).expect_err("an error").to_string();
    assert_eq!(
        error,
        "no sentence pair is left to train on: 0 of 5 pairs kept; \
         left out: 5 with a blank side (a.de:1, a.de:2, a.de:3, ...)"
    );
}

#[test]
fn validation_keeps_every_line() {
    let dataset = Dataset::for_validation(&[pair("", "", 1), pair("ab", "x", 2)], &vocabularies(), &Default::default())
        .expect("room");
    assert_eq!(dataset.example(0), Example { source: vec![EOS], target: vec![EOS], links: vec![] });
    assert_eq!((dataset.source_tokens(), dataset.target_tokens()), (4, 3));
}

#[test]
fn sources_of_tagged_corpora_begin_with_their_tag() {
    let corpus = |tag: Option<&str>| CorpusConfig { tag: tag.map(str::to_owned), ..Default::default() };
    let data = DataConfig { train: vec![corpus(None), corpus(Some("bt"))], max_length: 4, ..Default::default() };
    let words = || [vec![0..1, 1..2], vec![0..2, 2..2]];
    let of = |source: &str, corpus: usize| Pair {
        links: Some(WordLinks { words: words(), links: vec![(1, 0)] }),
        corpus,
        ..pair(source, "ab", 1)
    };
    // Four characters are not too long with a tag before them; five are.
    let pairs = [of("abcd", 0), of("abcd", 1), of("abcde", 1)];
    let config = TokenizerConfig { kind: TokenizerKind::Char, vocabulary: 9, ..Default::default() };
    let vocabularies = Vocabularies::train(pairs.clone().map(Ok), &config, &["bt".to_owned()]).expect("a vocabulary");
    let (dataset, report) = encoded(pairs.to_vec(), &vocabularies, &data).expect("pairs");
    assert_eq!((dataset.len(), report.dropped(Reason::TooLong).count), (2, 1));
    let [plain, tagged] = [dataset.example(0), dataset.example(1)];
    let tag = vocabularies.source.tag("bt").expect("a tag");
    assert_eq!(tagged.source, [&[tag], &plain.source[..]].concat());
    assert_eq!(tagged.target, plain.target);
    // Character 1 with both characters of the target, and the ends.
    assert_eq!(plain.links, [(1, 0), (1, 1), (4, 2)]);
    assert_eq!(tagged.links, [(2, 0), (2, 1), (5, 2)]);
    let validation = Dataset::for_validation(&[of("ab", 0)], &vocabularies, &corpus(Some("bt"))).expect("room");
    assert_eq!(validation.example(0).source[0], tag);
}
