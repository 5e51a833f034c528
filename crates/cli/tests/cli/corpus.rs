//! `corpus`, and filters while training, on dirty text.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::{FIXTURE, assert_fails, corpus, rnnsearch, stdout};

/// A German and an English file with all that can be wrong in them, each wrong thing in a line of its own.
fn dirty() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let huge = "lang ".repeat(19_999) + "lang";
    let german = "Das Wetter war schön, und so machten wir mit den Kindern einen langen Spaziergang am Fluss.";
    let english = "The weather was fine, and so we went for a long walk along the river with the children.";
    let lines: Vec<[&[u8]; 2]> = vec![
        ["\u{feff}Der Hund schläft.".as_bytes(), b"The dog sleeps."],
        [german.as_bytes(), english.as_bytes()],
        [b"gro\xdfe Hunde", b"big dogs"],
        [b"kaputt", b"bro\xffken"],
        ["fÃ¼r dich".as_bytes(), b"for you"],
        [b"Tag &amp; Nacht", b"day and night"],
        [b"Eine Glocke", b"a bell\x07"],
        [b"nichts\0", b"nothing"],
        ["ein Lo\u{fffd}h".as_bytes(), b"a hole"],
        ["Zu\u{ad}sammen".as_bytes(), b"together"],
        [b"links\trechts", b"left right"],
        [b"mit Zeilenende\r", b"with a line end"],
        [b"  zwei  Leerzeichen", b"two blanks"],
        ["u\u{308}ber".as_bytes(), b"over"],
        [b"", b"blank"],
        [b"gleich", b"gleich"],
        [b"Der Hund  schl\xc3\xa4ft. ", b"The dog sleeps."],
        [b"Der Hund schl\xc3\xa4ft.", b"The dog is asleep."],
        [b"Er schl\xc3\xa4ft.", b"The dog is asleep."],
        [b"Das war im Jahr 1984.", b"That was in 1948."],
        [b"Siehe http://example.org/a.", b"See there."],
        [b"12 + 13 = 25", b"twelve and thirteen are twenty-five"],
        [b"Ja.", b"Yes, of course, and I told you so long before anybody else did, as you may well remember now."],
        [huge.as_bytes(), huge.as_bytes()],
        [german.as_bytes(), german.as_bytes()],
        [b"Wort", b"incomprehensibilities-incomprehensibilities-incomprehensibilities"],
        [english.as_bytes(), german.as_bytes()],
        ["Der Testsatz steht schon im Test.".as_bytes(), b"The test has this sentence."],
    ];
    let [source, target] =
        [0, 1].map(|side| lines.iter().flat_map(|pair| [pair[side], b"\n"].concat()).collect::<Vec<u8>>());
    fs::write(folder.path().join("a.de"), &source).unwrap();
    fs::write(folder.path().join("a.en"), [target, b"one more\n".to_vec()].concat()).unwrap();
    fs::write(folder.path().join("test.de"), "Der Testsatz  steht schon im Test.\n").unwrap();
    folder
}

const LANGUAGES: [&str; 4] = ["--source-language", "de", "--target-language", "en"];

fn in_folder(folder: &Path, args: &[&str]) -> assert_cmd::Command {
    let mut command = rnnsearch(["corpus"]);
    command.args(args).current_dir(folder);
    command
}

#[test]
fn check_tells_all_that_is_wrong() {
    let folder = dirty();
    let args = [&["check", "a.de", "a.en", "--against", "test.de"][..], &LANGUAGES].concat();
    let output = in_folder(folder.path(), &args).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(String::from_utf8(output.stdout).unwrap());
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn check_tells_programs_too() {
    let folder = dirty();
    let args = [&["check", "a.de", "a.en", "--json", "--max", "1"][..], &LANGUAGES].concat();
    let output = in_folder(folder.path(), &args).output().unwrap();
    let lines: Vec<Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (total, found) = lines.split_last().unwrap();
    let kinds: Vec<&str> = found.iter().map(|finding| finding["kind"].as_str().unwrap()).collect();
    let counted = total["kinds"].as_object().unwrap();
    assert_eq!(kinds.len(), counted.len(), "one of each: {kinds:?}");
    assert_eq!((&counted["not-utf8"], &counted["several-targets"]), (&2.into(), &2.into()));
    let mojibake = found.iter().find(|finding| finding["kind"] == "mojibake").unwrap();
    assert_eq!(
        (&mojibake["file"], &mojibake["line"], &mojibake["side"], &mojibake["level"], &mojibake["excerpt"]),
        (&"a.de".into(), &5.into(), &"source".into(), &"warning".into(), &"fÃ¼r dich".into())
    );
    let sum: u64 = ["errors", "warnings", "notes"].iter().map(|level| total[level].as_u64().unwrap()).sum();
    assert_eq!(sum, counted.values().map(|count| count.as_u64().unwrap()).sum::<u64>());
}

#[test]
fn a_good_corpus_passes() {
    let folder = FIXTURE.folder.as_path();
    let args = ["check", "train.en", "train.fr", "--source-language", "en", "--target-language", "French"];
    let output = in_folder(folder, &args).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "300 lines: 0 errors, 0 warnings, 0 notes\n");
    assert_eq!(output.status.code(), Some(0));
    in_folder(folder, &["check", "--config", "tiny.toml"]).assert().success();
}

#[test]
fn what_is_looked_for_can_be_chosen() {
    let folder = dirty();
    let only = in_folder(folder.path(), &["check", "a.de", "a.en", "--only", "tab,crlf"]).output().unwrap();
    assert_eq!(only.status.code(), Some(2), "there is no such kind");
    let only =
        in_folder(folder.path(), &["check", "a.de", "a.en", "--only", "spaces,several-targets"]).output().unwrap();
    assert_eq!(only.status.code(), Some(0), "notes are nothing wrong");
    let stdout = String::from_utf8(only.stdout).unwrap();
    assert!(stdout.contains("a.de:13 source") && stdout.ends_with("0 warnings, 4 notes\n"), "{stdout}");
    let mut words =
        in_folder(folder.path(), &["check", "a.de", "a.en", "--only", "max-words", "--filter", "max-words=15"]);
    let stdout = String::from_utf8(words.output().unwrap().stdout).unwrap();
    assert!(stdout.contains("a.de:24 source: 20000 words") && stdout.contains("a.en:23 target: 19 words"), "{stdout}");
}

/// Equally many lines, without the one that is too many.
fn paired() -> TempDir {
    let folder = dirty();
    let file = folder.path().join("a.en");
    let bytes = fs::read(&file).unwrap();
    fs::write(file, bytes.strip_suffix(b"one more\n").unwrap()).unwrap();
    folder
}

/// Cleans and returns what was told.
fn clean(folder: &Path, args: &[&str]) -> String {
    let args = [&["clean"][..], args, &LANGUAGES, &["--filter", "recommended"]].concat();
    let output = in_folder(folder, &args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn what_was_cleaned_is_clean() {
    let folder = paired();
    let outputs = |source, target| ["--fix", "all", "--output-source", source, "--output-target", target];
    let told =
        clean(folder.path(), &[&["a.de", "a.en", "--rejected", "no.jsonl"][..], &outputs("b.de", "b.en")].concat());
    insta::assert_snapshot!(told);
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    insta::assert_snapshot!(read("b.de"));
    assert_eq!(read("b.de").lines().count() + read("no.jsonl").lines().count(), 28, "kept and left out are all");
    let reasons: Vec<Value> = read("no.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&reasons[0]["reason"], &reasons[0]["line"]), (&"unreadable".into(), &3.into()));
    assert!(reasons[0]["error"].as_str().unwrap().contains("a.de:3: not UTF-8") && reasons[0]["source"].is_null());

    let args = [&["check", "b.de", "b.en", "--ignore", "several-targets,several-sources"][..], &LANGUAGES].concat();
    let checked = stdout(&mut in_folder(folder.path(), &args));
    assert!(checked.ends_with("0 errors, 0 warnings, 0 notes\n"), "{checked}");
    let told = clean(folder.path(), &[&["b.de", "b.en"][..], &outputs("c.de.gz", "c.en.zst")].concat());
    assert!(!told.contains("left out") && !told.contains("repaired"), "{told}");
    clean(folder.path(), &[&["c.de.gz", "c.en.zst"][..], &outputs("d.de", "d.en")].concat());
    assert_eq!((read("b.de"), read("b.en")), (read("d.de"), read("d.en")), "cleaning again changes nothing");
}

#[test]
fn nothing_is_written_where_cleaning_fails() {
    let folder = dirty();
    let names = || fs::read_dir(folder.path()).unwrap().count();
    let before = names();
    let outputs = ["--output-source", "b.de", "--output-target", "b.en"];
    let clean =
        |inputs: &[&str], outputs: &[&str]| in_folder(folder.path(), &[&["clean"][..], inputs, outputs].concat());
    assert_fails(
        &mut clean(&["a.de", "a.en"], &outputs),
        1,
        &["a.de has 28 lines", "a.en has 29", "pair line by line"],
    );
    fs::write(folder.path().join("empty"), "").unwrap();
    assert_fails(&mut clean(&["empty", "empty"], &outputs), 1, &["`empty` is empty"]);
    assert_fails(
        &mut clean(&["a.de", "a.en"], &["--output-source", "a.de", "--output-target", "b"]),
        2,
        &["read and written"],
    );
    assert_fails(&mut clean(&["a.de", "a.en"], &["--output-source", "b", "--output-target", "b"]), 2, &["one file"]);
    assert_fails(&mut clean(&["a.de", "a.en"], &["--output-source", "b"]), 2, &["--output-target"]);
    assert_fails(&mut clean(&["a.de"], &[]), 2, &["TARGET"]);
    assert_fails(&mut clean(&["a.de", "a.en"], &["--filter", "duplicats"]), 2, &["data.filter.duplicates"]);
    assert_fails(&mut clean(&["a.de", "a.en"], &["--filter", "languages"]), 2, &["data.source_language", "deu"]);
    assert_eq!(names(), before + 1);
}

#[test]
fn pipes_and_other_forms() {
    let folder = tempfile::tempdir().unwrap();
    let tsv = "a\tb\n\tc\nx\ty\tz\nf\u{c3}\u{bc}r\tfor\n";
    let mut piped = in_folder(folder.path(), &["clean", "--tsv", "/dev/stdin", "--fix", "mojibake"]);
    assert_eq!(stdout(piped.write_stdin(tsv)), "a\tb\nfür\tfor\n");
    let jsonl = "{\"id\": 7, \"de\": \"a\\tb\", \"en\": \"c\"}\n{\"de\": 1}\n";
    fs::write(folder.path().join("a.jsonl"), jsonl).unwrap();
    let fields = ["--jsonl", "a.jsonl", "--source-field", "de", "--target-field", "en"];
    let mut keeps = in_folder(folder.path(), &[&["clean"][..], &fields].concat());
    assert_eq!(stdout(&mut keeps), "{\"id\":7,\"de\":\"a\\tb\",\"en\":\"c\"}\n");
    let to_tsv = [&["clean", "--output", "a.tsv"][..], &fields].concat();
    assert_fails(&mut in_folder(folder.path(), &to_tsv), 1, &["a.jsonl:1: a sentence has a tab", "--fix spaces"]);
    in_folder(folder.path(), &[&to_tsv[..], &["--fix", "spaces"]].concat()).assert().success();
    assert_eq!(fs::read_to_string(folder.path().join("a.tsv")).unwrap(), "a b\tc\n");
    let mut empty = in_folder(folder.path(), &["check", "--tsv", "/dev/null"]);
    let output = empty.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stdout).unwrap().contains("error: empty-file"));
}

#[test]
fn stats_count() {
    let folder = dirty();
    let args = [&["stats", "a.de", "a.en", "--json", "--filter", "duplicates"][..], &LANGUAGES].concat();
    let output = in_folder(folder.path(), &args).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("a.de has 28 lines, a.en has 29") && said.contains("2 lines cannot be read"), "{said}");
    let stats: Value = serde_json::from_slice(&output.stdout).unwrap();
    for (key, count) in
        [("pairs", 26), ("unreadable", 2), ("blank", 1), ("duplicates", 1), ("identical", 3), ("kept", 24)]
    {
        assert_eq!(stats[key], count, "{key}");
    }
    assert_eq!((&stats["left_out"]["duplicates"], &stats["source"]["words"]["most"]), (&1.into(), &20_000.into()));
    assert_eq!((&stats["source"]["languages"]["deu"], &stats["target"]["languages"]["deu"]), (&2.into(), &2.into()));
    assert!(stats["source"]["tokens"].is_null());

    let mut with_model = in_folder(&FIXTURE.folder, &["stats", "--config", "tiny.toml", "--model", "run"]);
    let text = stdout(&mut with_model);
    assert!(text.contains("tokens ") && text.contains("kept                300 (100.00 %)"), "{text}");
    assert!(!text.contains("left out"), "{text}");
}

/// Adds lines to both training files of the tiny corpus.
fn add(folder: &Path, pairs: &[(&str, &str)]) {
    for (name, side) in [("train.en", 0), ("train.fr", 1)] {
        let file = folder.join(name);
        let more: String = pairs.iter().map(|pair| format!("{}\n", if side == 0 { pair.0 } else { pair.1 })).collect();
        fs::write(&file, fs::read_to_string(&file).unwrap() + &more).unwrap();
    }
}

#[test]
fn training_leaves_out_what_filters_catch() {
    let (folder, config) = corpus();
    let first = fs::read_to_string(folder.path().join("train.en")).unwrap().lines().next().unwrap().to_owned();
    let translation = fs::read_to_string(folder.path().join("train.fr")).unwrap().lines().next().unwrap().to_owned();
    add(folder.path(), &[(&first, &translation), ("same", "same"), ("", "blank"), ("Q&amp;A", "questions")]);
    let train = |settings: &[&str]| {
        let mut train = rnnsearch(["train", "--overwrite", "--set", "training.max_updates=1", "--run"]);
        train.arg(folder.path().join("run")).arg(&config).args(settings.iter().flat_map(|setting| ["--set", setting]));
        train
    };
    let filters = ["data.filter.duplicates=true", "data.filter.identical=true", "data.filter.markup=true"];
    let links = ["training.alignment.learn_links=true"];
    let output = train(&[&filters[..], &links].concat()).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}");
    for part in [
        "learning the links of 301 pairs",
        "300 of 304 pairs kept; left out: 1 with a blank side",
        "1 with identical sides",
        "train.en:302",
        "1 with markup",
        "train.en:304",
        "1 that came before",
        "train.en:301",
        "training on 300 pairs",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    // No vocabulary is learnt from what is left out.
    let tokenizer = fs::read_to_string(folder.path().join("run/tokenizer.json")).unwrap();
    assert!(!tokenizer.contains("\"&\""), "{tokenizer}");

    let says = ["no sentence pair is left", "0 of 304 pairs kept", "over 1 words"];
    assert_fails(&mut train(&[&filters[..], &["data.filter.max_words=1"]].concat()), 1, &says);
    let unknown = ["data.filter.languages=true", "data.source_language=xx"];
    assert_fails(&mut train(&unknown), 2, &["data.source_language = \"xx\"", "deu"]);
}
