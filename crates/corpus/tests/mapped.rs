//! Examples in a mapped file are those in memory, and what is not as it was written is noticed.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use proptest::prelude::*;
use rnnsearch_config::{TokenizerConfig, TokenizerKind, TrainingConfig};
use rnnsearch_corpus::{Batch, BatchPlan, Dataset, DatasetWriter, Example, Unmappable, Vocabularies};
use serde_json::json;
use tempfile::TempDir;

/// Vocabularies of more words than 16 bits number, and of few.
fn vocabularies(wide: bool) -> &'static Vocabularies {
    static BOTH: [OnceLock<Vocabularies>; 2] = [OnceLock::new(), OnceLock::new()];
    BOTH[usize::from(wide)].get_or_init(|| {
        let words = if wide { 66_000 } else { 40 };
        let text: String = (0..words).map(|word| format!(" w{word}")).collect();
        let vocabulary = words + 4;
        let config = TokenizerConfig { kind: TokenizerKind::Wordlevel, vocabulary, ..Default::default() };
        Vocabularies::train_on(&[(text.as_str(), "")], &config).expect("a vocabulary")
    })
}

/// Examples with ids below the size of the vocabulary, and links between their tokens or none.
fn examples(wide: bool, count: usize) -> impl Strategy<Value = Vec<Example>> {
    let words = vocabularies(wide).source.vocab_size() as u32;
    let side = move || proptest::collection::vec(prop_oneof![0..words, words - 3..words], 1..9);
    let links = prop_oneof![Just(vec![]), proptest::collection::vec((any::<u32>(), any::<u32>()), 0..5)];
    let example = (side(), side(), links).prop_map(|(source, target, links)| {
        let inside = |&(from, to): &(u32, u32)| (from % source.len() as u32, to % target.len() as u32);
        let links = links.iter().map(inside).collect();
        Example { source, target, links }
    });
    proptest::collection::vec(example, 1..count)
}

fn in_memory(examples: &[Example], wide: bool) -> Dataset {
    let mut dataset = Dataset::new(vocabularies(wide));
    examples.iter().for_each(|example| dataset.push(example).expect("room"));
    dataset
}

fn bytes(examples: &[Example], wide: bool, max_length: usize) -> Vec<u8> {
    let mut writer = DatasetWriter::new(Vec::new(), vocabularies(wide), max_length);
    examples.iter().for_each(|example| writer.push(example).expect("memory takes it"));
    writer.finish(json!({ "note": 7 })).expect("memory takes it")
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn file(&self, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join("data.bin");
        fs::write(&path, bytes).expect("a file");
        path
    }
}

fn reason(folder: &Folder, bytes: &[u8]) -> String {
    match Dataset::map(&folder.file(bytes), vocabularies(false)) {
        Err(Unmappable::Damaged(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

fn check_same(examples: &[Example], wide: bool, max_length: usize) {
    let folder = Folder::new();
    let path = folder.file(&bytes(examples, wide, max_length));
    let (mapped, notes) = Dataset::map(&path, vocabularies(wide)).expect("the file is whole");
    let own = in_memory(examples, wide);
    assert_eq!(notes, json!({ "note": 7 }));
    assert_eq!(mapped.len(), examples.len());
    assert_eq!(mapped.has_links(), own.has_links());
    assert_eq!([mapped.source_tokens(), mapped.target_tokens()], [own.source_tokens(), own.target_tokens()]);
    for (index, example) in (0..).zip(examples) {
        assert_eq!(&mapped.example(index), example);
        assert_eq!((mapped.source_len(index), mapped.target_len(index)), (example.source.len(), example.target.len()));
    }
    let training = TrainingConfig { batch_size: 3, ..Default::default() };
    let plan = BatchPlan::epoch(&mapped, &training, 1);
    assert_eq!(plan, BatchPlan::epoch(&own, &training, 1));
    plan.iter_from(0).for_each(|batch| assert_eq!(Batch::new(&mapped, batch), Batch::new(&own, batch)));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..Default::default() })]

    #[test]
    fn what_is_mapped_is_what_was_written(narrow in examples(false, 30), wide in examples(true, 30)) {
        check_same(&narrow, false, 8);
        // Wide for the length of its sentences alone.
        check_same(&narrow, false, 1 << 17);
        check_same(&wide, true, 8);
    }
}

/// More than two blocks of examples, looked up often enough that pages are given back.
#[test]
fn many_examples_are_in_several_blocks() {
    let example = |i: u32| Example {
        source: (0..1 + i % 5).map(|j| (i + j) % 44).collect(),
        target: vec![i % 44; 1 + i as usize % 3],
        links: if i.is_multiple_of(7) { vec![(i % 5, i % 3)] } else { vec![] },
    };
    let examples: Vec<Example> = (0..40_000).map(example).collect();
    check_same(&examples, false, 8);
}

#[test]
fn every_cut_and_every_flipped_bit_is_noticed() {
    let folder = Folder::new();
    let example = |i: u32| Example { source: vec![i, 3], target: vec![i + 1, 5, 3], links: vec![(0, i % 3)] };
    let whole = bytes(&(0..5).map(example).collect::<Vec<_>>(), false, 8);
    assert_eq!(whole, bytes(&(0..5).map(example).collect::<Vec<_>>(), false, 8), "the same examples, the same bytes");
    assert!(Dataset::map(&folder.file(&whole), vocabularies(false)).is_ok());
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        assert_eq!(reason(&folder, &flipped), "its checksum is wrong", "flipped at {at}");
        let cut = reason(&folder, &whole[..at]);
        assert!(["its checksum is wrong", "it is cut short"].contains(&cut.as_str()), "cut at {at}: {cut}");
    }
    let longer = [&whole[..], &[0]].concat();
    assert_eq!(reason(&folder, &longer), "its checksum is wrong");
    let error = Dataset::map(&folder.0.path().join("none"), vocabularies(false)).unwrap_err();
    assert!(matches!(error, Unmappable::Io(_)), "{error}");
}

/// Whatever stands in a file whose checksum is right, nothing is out of range. Any byte of it may be any other.
#[test]
fn nonsense_with_a_right_checksum_is_refused_or_harmless() {
    let folder = Folder::new();
    let example = |i: u32| Example { source: vec![i, 3], target: vec![i + 1, 5, 3], links: vec![(0, i % 3)] };
    let whole = bytes(&(0..5).map(example).collect::<Vec<_>>(), false, 8);
    let content = whole.len() - blake3::OUT_LEN;
    let mut refused = 0;
    for at in 0..content {
        for value in [0, 1, whole[at].wrapping_add(1), 0x7f, 0xff] {
            let mut other = whole.clone();
            other[at] = value;
            let hash = blake3::hash(&other[..content]);
            other[content..].copy_from_slice(hash.as_bytes());
            match Dataset::map(&folder.file(&other), vocabularies(false)) {
                Err(error) => refused += usize::from(matches!(error, Unmappable::Damaged(_))),
                Ok((dataset, _)) => {
                    let words = vocabularies(false).source.vocab_size() as u32;
                    for index in 0..dataset.len() as u32 {
                        let Example { source, target, links } = dataset.example(index);
                        assert!(source.iter().chain(&target).all(|&id| id < words));
                        assert!(links.iter().all(|&(s, t)| (s as usize) < source.len() && (t as usize) < target.len()));
                        assert_eq!(dataset.target_len(index), target.len());
                    }
                }
            }
        }
    }
    assert!(refused > content, "{refused} of {content}");
    // Of another program, of another format, for other vocabularies.
    let with = |place: usize, bytes: &[u8]| {
        let mut other = whole.clone();
        other[place..place + bytes.len()].copy_from_slice(bytes);
        let hash = blake3::hash(&other[..content]);
        other[content..].copy_from_slice(hash.as_bytes());
        reason(&folder, &other)
    };
    assert_eq!(with(content - 24, b"x"), "it is no file of examples");
    assert_eq!(with(content - 16, &[2]), "it has format 2, and this build reads 1");
    let error = Dataset::map(&folder.file(&whole), vocabularies(true)).unwrap_err().to_string();
    assert_eq!(error, "its vocabularies are of other sizes");
}
