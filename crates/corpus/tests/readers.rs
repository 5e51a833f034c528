//! What the readers take and what they refuse, in words.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use rnnsearch_config::CorpusConfig;
use rnnsearch_corpus::{CorpusError, EncodingGuess, Lines, Pair, Pairs};
use tempfile::TempDir;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).expect("a file");
        path
    }

    /// The message without the folder, whose name is random.
    fn message(&self, error: &CorpusError) -> String {
        error.to_string().replace(&format!("{}/", self.0.path().display()), "")
    }
}

fn read(path: &Path) -> Result<Vec<String>, CorpusError> {
    Lines::open(path)?.collect()
}

fn text(folder: &Folder, bytes: &[u8]) -> Vec<String> {
    read(&folder.file("text", bytes)).expect("text")
}

fn two_files(source: PathBuf, target: PathBuf) -> CorpusConfig {
    CorpusConfig { source: Some(source), target: Some(target), ..Default::default() }
}

fn pairs(corpus: CorpusConfig) -> Result<Vec<Pair>, CorpusError> {
    Pairs::open(&[corpus])?.collect()
}

fn refused(folder: &Folder, corpus: CorpusConfig) -> String {
    folder.message(&pairs(corpus).expect_err("an error"))
}

#[test]
fn only_line_feeds_end_lines() {
    let folder = Folder::new();
    let odd = "NEL\u{85} LS\u{2028} PS\u{2029} VT\u{b} FF\u{c} CR\r NUL\0 FS\u{1c}";
    assert_eq!(text(&folder, format!("{odd}\nnext").as_bytes()), [odd, "next"]);
    assert_eq!(text(&folder, b"a\r\nb\r\r\n\r\nc\r"), ["a", "b\r", "", "c\r"]);
    assert_eq!(text(&folder, b"\n\n"), ["", ""]);
    assert_eq!(text(&folder, b""), [""; 0]);
}

#[test]
fn a_byte_order_mark_is_dropped_at_the_start_alone() {
    let folder = Folder::new();
    assert_eq!(text(&folder, "\u{feff}a\n\u{feff}b\n".as_bytes()), ["a", "\u{feff}b"]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_lines_are_read_as_they_were_written(lines in proptest::collection::vec("[^\n]*", 0..8)) {
        let folder = Folder::new();
        let written: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let expected: Vec<String> = lines
            .iter()
            .enumerate()
            .map(|(index, line)| {
                let line = line.strip_suffix('\r').unwrap_or(line);
                line.strip_prefix('\u{feff}').filter(|_| index == 0).unwrap_or(line).to_owned()
            })
            .collect();
        prop_assert_eq!(text(&folder, written.as_bytes()), expected);
    }
}

#[test]
fn after_a_wrong_line_come_the_next() {
    let folder = Folder::new();
    let long = [vec![b'a'; Lines::MAX_LINE + 5], b"\nc\xff\nd\n".to_vec()].concat();
    let exactly = [vec![b'a'; Lines::MAX_LINE], b"\nd\n".to_vec()].concat();
    for (bytes, expected) in [
        (b"a\xff\nb\n\xfe".to_vec(), vec!["text:1: not UTF-8 (at byte 1", "b", "text:3: not UTF-8 (at byte 5"]),
        (long, vec!["text:1: a line of over 67108864 bytes", "text:2: not UTF-8 (at byte 67108871", "d"]),
        (exactly, vec!["text:1: a line of over 67108864 bytes", "d"]),
    ] {
        let lines = Lines::open(&folder.file("text", bytes)).expect("text");
        let lines: Vec<String> = lines.map(|line| line.unwrap_or_else(|error| folder.message(&error))).collect();
        assert_eq!(lines.len(), expected.len(), "{lines:?}");
        assert!(lines.iter().zip(&expected).all(|(line, expected)| line.starts_with(expected)), "{lines:?}");
    }
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(text).and_then(|()| writer.finish()).expect("gzip")
}

fn zstd(text: &[u8]) -> Vec<u8> {
    zstd::encode_all(text, 0).expect("zstd")
}

fn xz(text: &[u8]) -> Vec<u8> {
    let mut writer = liblzma::write::XzEncoder::new(Vec::new(), 6);
    writer.write_all(text).and_then(|()| writer.finish()).expect("xz")
}

type Compress = fn(&[u8]) -> Vec<u8>;

const FORMATS: [(&str, Compress); 3] = [("gzip", gzip), ("zstd", zstd), ("xz", xz)];

#[test]
fn compressed_files_are_recognised_by_content_and_read_to_the_end() {
    let folder = Folder::new();
    for (format, compress) in FORMATS {
        // Two compressed files put together are one, as `cat a.gz b.gz` makes it.
        let both = [compress(b"one\ntwo\n"), compress(b"three\n")].concat();
        assert_eq!(text(&folder, &both), ["one", "two", "three"], "{format}");
        assert_eq!(text(&folder, &compress(b"")), [""; 0], "{format}");
    }
}

#[test]
fn a_compressed_file_cut_short_is_damaged() {
    let folder = Folder::new();
    let long: String = (0..20_000).map(|n| format!("sentence {} of {}\n", n * 7919 % 10_007, n)).collect();
    for (format, compress) in FORMATS {
        let whole = compress(long.as_bytes());
        for length in [12, whole.len() / 2, whole.len() - 1] {
            let error = read(&folder.file("short", &whole[..length])).expect_err(format);
            assert!(matches!(error, CorpusError::Damaged { .. }), "{format} {length}: {error}");
            assert!(folder.message(&error).starts_with("`short` is damaged or cut short, after line "), "{error}");
        }
    }
}

#[test]
fn short_files_and_texts_that_look_compressed_are_text() {
    let folder = Folder::new();
    assert_eq!(text(&folder, b"a"), ["a"]);
    assert_eq!(text(&folder, b"BZh is how it begins\n"), ["BZh is how it begins"]);
    assert_eq!(text(&folder, b"(\n"), ["("]);
}

#[test]
fn bzip2_is_refused_with_the_way_out() {
    let folder = Folder::new();
    let path = folder.file("a.bz2", b"BZh91AY&SY\x01\x02\x03");
    let error = read(&path).expect_err("an error");
    assert!(folder.message(&error).contains("recompress it with gzip, zstd or xz"), "{error}");
}

#[test]
fn files_that_cannot_be_read() {
    let folder = Folder::new();
    let missing = read(&folder.0.path().join("none.de")).expect_err("an error");
    assert_eq!(folder.message(&missing), "cannot read `none.de`: No such file or directory (os error 2)");
    let directory = read(folder.0.path()).expect_err("an error").to_string();
    assert!(directory.ends_with("is a folder: name a file of sentences, one a line"), "{directory}");
}

#[test]
fn other_encodings_name_the_place_and_the_remedy() {
    let folder = Folder::new();
    let latin = folder.file("latin.de", b"gut\nsch\xf6n\n");
    assert_eq!(
        folder.message(&read(&latin).expect_err("an error")),
        "latin.de:2: not UTF-8 (at byte 7 of the text, counted from 0): \
         convert it to UTF-8, for example with `iconv -f LATIN1 -t UTF-8`"
    );
    let guess = |bytes: &[u8]| match read(&folder.file("guess", bytes)) {
        Err(CorpusError::InvalidUtf8 { guess, line, .. }) => (guess, line),
        other => panic!("{other:?}"),
    };
    assert_eq!(guess(b"\xff\xfeh\0i\0"), (EncodingGuess::Utf16, 1));
    assert_eq!(guess(b"\x7fELF\x02\x01\0\0\0\n\x80\x81"), (EncodingGuess::Binary, 2));
    assert_eq!(guess(b"cut off: \xe2\x98"), (EncodingGuess::OtherEncoding, 1));
}

#[test]
fn nothing_is_read_after_a_failure() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the cable is cut"))
        }
    }
    let mut lines = Lines::from_reader("standard input", (&b"good\n"[..]).chain(Failing));
    assert_eq!(lines.next().expect("a line").expect("text"), "good");
    let error = lines.next().expect("a line").expect_err("an error").to_string();
    assert_eq!(error, "cannot read `standard input`: the cable is cut");
    assert!(lines.next().is_none());
}

#[test]
fn a_line_of_a_stream_is_given_as_soon_as_it_is_there() {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    let mut lines = Lines::from_reader("pipe", reader);
    for sentence in ["Hi", "no"] {
        writeln!(writer, "{sentence}").expect("written");
        assert_eq!(lines.next().expect("a line").expect("text"), sentence);
    }
}

#[test]
fn an_endless_line_is_refused() {
    let error = Lines::from_reader("zeros", std::io::repeat(0)).next().expect("a line").expect_err("an error");
    assert_eq!(
        error.to_string(),
        "zeros:1: a line of over 67108864 bytes: this does not look like text with one sentence a line"
    );
}

#[test]
fn two_files_pair_line_by_line() {
    let folder = Folder::new();
    let corpus = two_files(folder.file("a.de", "eins\n\ndrei"), folder.file("a.en", "one\r\ntwo\r\nthree\r\n"));
    let pairs = pairs(corpus).expect("pairs");
    let sides: Vec<(&str, &str)> = pairs.iter().map(|pair| (pair.source.as_str(), pair.target.as_str())).collect();
    assert_eq!(sides, [("eins", "one"), ("", "two"), ("drei", "three")]);
    assert!(pairs[2].place.to_string().ends_with("a.de:3"));
}

#[test]
fn unequal_files_tell_both_numbers_of_lines() {
    let folder = Folder::new();
    let (long, short) = (folder.file("a.de", "1\n2\n3\n"), folder.file("a.en", "1\n"));
    let end = "the two sides must pair line by line";
    assert_eq!(
        refused(&folder, two_files(long.clone(), short.clone())),
        format!("a.de has 3 lines, a.en has 1: {end}")
    );
    assert_eq!(refused(&folder, two_files(short, long)), format!("a.en has 1 lines, a.de has 3: {end}"));
}

#[test]
fn empty_files_are_named() {
    let folder = Folder::new();
    let (empty, full) = (folder.file("a.de", ""), folder.file("a.en", "1\n"));
    let expected = "`a.de` is empty: it should hold one sentence a line";
    assert_eq!(refused(&folder, two_files(empty.clone(), full.clone())), expected);
    assert_eq!(refused(&folder, two_files(full, empty.clone())), expected);
    assert_eq!(refused(&folder, two_files(empty.clone(), empty.clone())), expected);
    assert_eq!(refused(&folder, CorpusConfig { tsv: Some(empty), ..Default::default() }), expected);
}

#[test]
fn tsv_has_two_columns() {
    let folder = Folder::new();
    let tsv = |bytes: &str| CorpusConfig { tsv: Some(folder.file("a.tsv", bytes)), ..Default::default() };
    let good = pairs(tsv("eins\tone\r\n\ttwo\n")).expect("pairs");
    assert_eq!((good[0].target.as_str(), good[1].source.as_str()), ("one", ""));
    assert_eq!(
        refused(&folder, tsv("eins\tone\nzwei\n")),
        "a.tsv:2: 1 column(s) where a line is source, one tab, target"
    );
    assert_eq!(
        refused(&folder, tsv("eins\tone\tCC-BY\n")),
        "a.tsv:1: 3 column(s) where a line is source, one tab, target; keep two columns, for example with `cut -f1,2`"
    );
}

#[test]
fn jsonl_has_two_fields() {
    let folder = Folder::new();
    let jsonl = |bytes: &str| CorpusConfig { jsonl: Some(folder.file("a.jsonl", bytes)), ..Default::default() };
    let good = pairs(jsonl("{\"id\": 7, \"target\": \"a\\tb\", \"source\": \"\\u00fc\"}\n")).expect("pairs");
    assert_eq!((good[0].source.as_str(), good[0].target.as_str()), ("ü", "a\tb"));
    let named = CorpusConfig {
        source_field: Some("de".into()),
        target_field: Some("en".into()),
        ..jsonl("{\"de\": \"eins\", \"en\": \"one\"}")
    };
    assert_eq!(pairs(named).expect("pairs")[0].target, "one");

    let remedy = "`source_field` and `target_field` name the fields to read";
    let refused = |bytes: &str| refused(&folder, jsonl(bytes));
    assert_eq!(
        refused("{\"source\": \"a\", \"target\": \"b\"}\n{\"source\": \"a\"}\n"),
        format!("a.jsonl:2: field `target` is missing; {remedy}")
    );
    assert_eq!(
        refused("{\"source\": 1, \"target\": \"b\"}"),
        format!("a.jsonl:1: field `source` is not a string; {remedy}")
    );
    assert_eq!(
        refused("{\"source\": \"a\\nb\", \"target\": \"b\"}"),
        format!("a.jsonl:1: field `source` holds a line break: a sentence is one line; {remedy}")
    );
    assert_eq!(refused("{\"source\": \"a\","), "a.jsonl:1: not a JSON object: EOF while parsing a value (column 15)");
    assert_eq!(refused("[]"), "a.jsonl:1: not a JSON object: found a list");
}

#[test]
fn a_corpus_is_one_of_three_things() {
    let message = |corpus| Pairs::open(&[corpus]).err().expect("an error").to_string();
    assert_eq!(
        message(CorpusConfig::default()),
        "a corpus is either `source` and `target`, or `tsv`, or `jsonl`: none of them is set"
    );
    let both = CorpusConfig { source: Some("a.de".into()), tsv: Some("a.tsv".into()), ..Default::default() };
    assert!(message(both).ends_with("found source = \"a.de\", tsv = \"a.tsv\""));
}

#[test]
fn corpora_follow_each_other() {
    let folder = Folder::new();
    let first = CorpusConfig { tsv: Some(folder.file("1.tsv", "a\tA\n")), ..Default::default() };
    let second = two_files(folder.file("2.de", "b\n"), folder.file("2.en", "B\n"));
    let sources: Vec<String> =
        Pairs::open(&[first, second]).expect("files").map(|pair| pair.expect("a pair").source).collect();
    assert_eq!(sources, ["a", "b"]);
}
