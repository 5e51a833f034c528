//! `align`, and gold links of `evaluate`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

use crate::common::{
    FIXTURE, assert_failed, assert_fails, lasting_folder, page_data, pairs, rnnsearch, stdout, with_model,
};

/// Sentences that the model was not trained on, with a blank pair and half a blank pair among them.
struct Corpus {
    folder: TempDir,
    source: PathBuf,
    target: PathBuf,
    /// In talp format. Adjective and noun change places.
    gold: PathBuf,
}

const PAIRS: usize = 42;
const BLANK: [usize; 2] = [3, 5];

static CORPUS: LazyLock<Corpus> = LazyLock::new(|| {
    let folder = lasting_folder();
    let [source, target, gold] = ["a.en", "a.fr", "a.talp"].map(|name| folder.path().join(name));
    let mut pairs = pairs().split_off(360);
    pairs.insert(3, (String::new(), " ".into()));
    pairs.insert(5, ("the dog sees a red hat.".into(), String::new()));
    let lines = |side: fn(&(String, String)) -> &str| pairs.iter().map(|pair| format!("{}\n", side(pair))).collect();
    let (english, french): (String, String) = (lines(|pair| &pair.0), lines(|pair| &pair.1));
    fs::write(&source, english).unwrap();
    fs::write(&target, french).unwrap();
    let links =
        |(_, french): &(String, String)| if french.trim().is_empty() { "\n" } else { "1-1 2-2 3-3 4p4 5-6 6-5\n" };
    fs::write(&gold, pairs.iter().map(links).collect::<String>()).unwrap();
    Corpus { folder, source, target, gold }
});

fn align(args: &[&str]) -> Command {
    let mut command = with_model("align", args.iter().copied());
    command.arg("--source").arg(&CORPUS.source).arg("--target").arg(&CORPUS.target);
    command
}

fn aligned(args: &[&str]) -> Vec<String> {
    stdout(&mut align(args)).lines().map(str::to_owned).collect()
}

fn records(args: &[&str]) -> Vec<Value> {
    aligned(args).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn number(object: &Value, key: &str) -> f64 {
    object[key].as_f64().unwrap_or_else(|| panic!("{key} in {object}"))
}

fn gold() -> &'static str {
    CORPUS.gold.to_str().unwrap()
}

/// A model of the opposite direction, trained once.
static REVERSE: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    let folder = lasting_folder();
    let text = fs::read_to_string(&FIXTURE.config).unwrap();
    let swapped = text.replace("en\"", "XX\"").replace("fr\"", "en\"").replace("XX\"", "fr\"");
    let config = folder.path().join("reverse.toml");
    for name in ["train.en", "train.fr", "valid.en", "valid.fr"] {
        fs::copy(FIXTURE.folder.join(name), folder.path().join(name)).unwrap();
    }
    fs::write(&config, swapped).unwrap();
    let run = folder.path().join("run");
    rnnsearch(["train", "-q"]).arg(&config).arg("--run").arg(&run).assert().success();
    (folder, run)
});

#[test]
fn threads_are_started_once() {
    let [source, target] = ["valid.en", "valid.fr"].map(|name| FIXTURE.folder.join(name));
    let links = |args: &[&str]| {
        let mut align =
            with_model("align", ["--source", source.to_str().unwrap(), "--target", target.to_str().unwrap()]);
        stdout(align.args(args))
    };
    let run = FIXTURE.run.to_str().unwrap();
    assert_eq!(
        links(&["--reverse", run, "--quiet", "--threads", "1"]),
        links(&["--reverse", run, "--quiet", "--threads", "3"])
    );
}

#[test]
fn formats_say_the_same() {
    let pharaoh = aligned(&[]);
    assert_eq!(pharaoh.len(), PAIRS);
    assert!(BLANK.iter().all(|&blank| pharaoh[blank].is_empty()), "{pharaoh:?}");
    assert_eq!(pharaoh.iter().filter(|line| line.is_empty()).count(), 2);
    let links = |line: &str| -> Vec<(usize, usize)> {
        let number = |text: &str| text.parse().unwrap();
        line.split(' ')
            .filter(|link| !link.is_empty())
            .map(|link| link.split_once('-').unwrap())
            .map(|(s, t)| (number(s), number(t)))
            .collect()
    };
    let talp: Vec<String> = pharaoh
        .iter()
        .map(|line| links(line).iter().map(|(s, t)| format!("{}-{}", s + 1, t + 1)).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(aligned(&["--format", "talp"]), talp);
    let naacl: Vec<String> = pharaoh
        .iter()
        .zip(1..)
        .flat_map(|(line, pair)| links(line).into_iter().map(move |(s, t)| format!("{pair} {} {} S", s + 1, t + 1)))
        .collect();
    assert_eq!(aligned(&["--format", "naacl"]), naacl);
    let json = records(&["--json"]);
    assert_eq!(json, records(&["--format", "json"]));
    assert_eq!(json.iter().map(|record| record["links"].as_str().unwrap()).collect::<Vec<_>>(), pharaoh);
    for (place, record) in json.iter().enumerate() {
        let words = |key: &str| record[key].as_array().unwrap().len();
        let rows = record["alignment"].as_array().unwrap();
        if BLANK.contains(&place) {
            assert!(rows.is_empty() && words("target_tokens") == 0, "{record}");
            continue;
        }
        assert_eq!((words("source_tokens"), words("target_tokens"), rows.len()), (6, 6, 6), "{record}");
        for row in rows {
            let sum: f64 = row.as_array().unwrap().iter().map(|weight| weight.as_f64().unwrap()).sum();
            assert!((sum - 1.0).abs() < 1e-4);
        }
    }
    let mut score = with_model("score", ["--source"]);
    let scores = stdout(score.arg(&CORPUS.source).arg("--target").arg(&CORPUS.target));
    for (record, line) in json.iter().zip(scores.lines()) {
        assert!((number(record, "log_prob") - line.split('\t').next().unwrap().parse::<f64>().unwrap()).abs() < 1e-4);
    }
}

#[test]
fn links_do_not_depend_on_batches_or_the_form_of_the_corpus() {
    let expected = aligned(&["--json"]);
    assert_eq!(aligned(&["--json", "--batch", "1", "--threads", "1"]), expected);
    let folder = tempfile::tempdir().unwrap();
    let [tsv, jsonl] = ["a.tsv", "a.jsonl"].map(|name| folder.path().join(name));
    let records: Vec<Value> = expected.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let text = |record: &Value, key: &str| record[key].as_str().unwrap().to_owned();
    let lines = |line: &dyn Fn(&Value) -> String| records.iter().map(line).collect::<String>();
    fs::write(&tsv, lines(&|record| format!("{}\t{}\n", text(record, "source"), text(record, "target")))).unwrap();
    fs::write(&jsonl, lines(&|record| format!("{record}\n"))).unwrap();
    for file in [&tsv, &jsonl] {
        let output = folder.path().join("out");
        let mut command = with_model("align", ["--json", "--input"]);
        command.arg(file).arg("--output").arg(&output).assert().success().stdout("");
        assert_eq!(fs::read_to_string(&output).unwrap().lines().collect::<Vec<_>>(), expected);
    }
}

#[test]
fn gold_links_score_an_alignment() {
    let lines = records(&["--json", "--gold", gold()]);
    let (total, pairs) = lines.split_last().unwrap();
    assert_eq!(pairs.len(), PAIRS);
    // Counted again from the links.
    let (mut found, mut sure, mut sure_matches, mut matches) = (0.0, 0.0, 0.0, 0.0);
    for pair in pairs.iter().filter(|pair| !pair["target"].as_str().unwrap().trim().is_empty()) {
        let links: Vec<&str> = pair["links"].as_str().unwrap().split_terminator(' ').collect();
        let of = |gold: &[&str]| links.iter().filter(|link| gold.contains(link)).count() as f64;
        let (these, correct) =
            (of(&["0-0", "1-1", "2-2", "4-5", "5-4"]), of(&["0-0", "1-1", "2-2", "3-3", "4-5", "5-4"]));
        let aer = 1.0 - (these + correct) / (links.len() as f64 + 5.0);
        assert!((number(pair, "aer") - aer).abs() < 1e-12, "{pair}");
        assert_eq!(number(pair, "recall"), these / 5.0);
        (found, sure, sure_matches, matches) =
            (found + links.len() as f64, sure + 5.0, sure_matches + these, matches + correct);
    }
    assert!((number(total, "aer") - (1.0 - (sure_matches + matches) / (found + sure))).abs() < 1e-12);
    assert_eq!((number(total, "precision"), number(total, "recall")), (matches / found, sure_matches / sure));
    assert_eq!((number(total, "pairs"), number(total, "sure")), (42.0, 200.0));
    // Any text, with all links at random or in order, would have more than a third wrong.
    assert!(number(total, "aer") < 0.35, "{total}");

    let text = aligned(&["--gold", gold()]);
    let expected = format!("AER = {:.4} (precision = ", number(total, "aer"));
    assert!(text.len() == PAIRS + 1 && text[PAIRS].starts_with(&expected), "{text:?}");

    let mut evaluate = with_model("evaluate", ["--json", "--gold", gold(), "--source"]);
    let report: Value =
        serde_json::from_str(&stdout(evaluate.arg(&CORPUS.source).arg("--reference").arg(&CORPUS.target))).unwrap();
    for key in ["aer", "precision", "recall", "f1"] {
        assert_eq!(report[key], total[key], "{key}");
    }
    let mut evaluate = with_model("evaluate", ["--gold", gold(), "--source"]);
    let report = stdout(evaluate.arg(&CORPUS.source).arg("--reference").arg(&CORPUS.target));
    assert!(report.contains(&format!("\nAER        {:.4}  precision ", number(total, "aer"))), "{report}");
}

#[test]
fn rules_and_readings_differ_as_they_should() {
    let links = |args: &[&str]| -> Vec<Vec<String>> {
        aligned(args).iter().map(|line| line.split_terminator(' ').map(str::to_owned).collect()).collect()
    };
    let argmax = links(&["--symmetrize", "forward"]);
    assert!(
        argmax.iter().all(|links| links.is_empty() || links.len() == 6),
        "a link for every target word: {argmax:?}"
    );
    let within = |inner: &[Vec<String>], outer: &[Vec<String>]| {
        inner.iter().zip(outer).all(|(inner, outer)| inner.iter().all(|link| outer.contains(link)))
    };
    let count = |links: &[Vec<String>]| links.iter().map(Vec::len).sum::<usize>();
    let both_ways = links(&["--symmetrize", "intersection"]);
    assert!(within(&both_ways, &argmax) && within(&both_ways, &links(&[])) && count(&both_ways) < count(&argmax));
    let confident = links(&["--symmetrize", "forward", "--threshold", "0.6"]);
    assert!(within(&confident, &argmax) && count(&confident) < count(&argmax));
    let all = links(&["--links", "threshold", "--threshold", "0"]);
    assert!(within(&argmax, &all) && count(&all) > count(&argmax));
    assert_ne!(links(&["--symmetrize", "forward", "--read", "next"]), argmax);
    // As they are, weights are those of the model, and the end of the source is one of its words.
    let bare = &records(&["--no-balance", "--symmetrize", "forward", "--json"])[0];
    assert_eq!(bare["source_tokens"][6], "</s>");
    let sum: f64 = bare["alignment"][0].as_array().unwrap().iter().map(|weight| weight.as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-4, "{bare}");
    // The full stop is a word of its own.
    let apart = records(&["--words", "punctuation", "--json"]);
    assert_eq!(apart[0]["target_tokens"].as_array().unwrap().len(), 7);
}

#[test]
fn two_directions_agree_on_better_links() {
    let reverse = REVERSE.1.to_str().unwrap();
    let aer = |args: &[&str]| {
        let lines = records(&[&["--json", "--gold", gold()], args].concat());
        number(&lines[PAIRS], "aer")
    };
    let both = |args: &[&str]| aer(&[&["--reverse", reverse], args].concat());
    let (one, two) = (aer(&["--read", "previous"]), both(&[]));
    assert!(two < 0.2 && two < one, "{two} {one}");
    let precision = |how: &str| {
        let args = ["--json", "--gold", gold(), "--reverse", reverse, "--combine", "no", "--symmetrize", how];
        let total = records(&args).pop().unwrap();
        (number(&total, "links"), number(&total, "precision"))
    };
    let [intersection, grown, union] = ["intersection", "grow-diag", "union"].map(precision);
    assert!(intersection.0 <= grown.0 && grown.0 <= union.0 && intersection.1 >= union.1);
    let record = &records(&["--json", "--reverse", reverse])[0];
    assert!(number(record, "reverse_log_prob") < 0.0);
    // The other model told to be the main one gives the same links, turned round.
    let options = ["--no-balance", "--symmetrize", "union", "--reverse"];
    let mut turned = rnnsearch(["align", reverse].into_iter().chain(options));
    let turned =
        stdout(turned.arg(&FIXTURE.run).arg("--source").arg(&CORPUS.target).arg("--target").arg(&CORPUS.source));
    for (line, turned) in aligned(&[&options[..], &[reverse]].concat()).iter().zip(turned.lines()) {
        let mut back: Vec<String> = turned
            .split_terminator(' ')
            .map(|link| link.split_once('-').unwrap())
            .map(|(source, target)| format!("{target}-{source}"))
            .collect();
        back.sort();
        assert_eq!(*line, back.join(" "));
    }
    let same = align(&["--reverse", FIXTURE.run.to_str().unwrap()]).output().unwrap();
    let warning = String::from_utf8(same.stderr).unwrap();
    assert!(same.status.success() && warning.contains("should be of the opposite direction"), "{warning}");
    assert_fails(&mut align(&["--combine", "mean"]), 2, &["--reverse"]);
    let useless = ["--reverse", reverse, "--combine", "no", "--symmetrize", "forward"];
    assert_fails(&mut align(&useless), 2, &["no link would depend on --reverse"]);
}

/// Reads an archive with no more than Python itself: the names, and the header of the first array and what follows it.
const UNZIP: &str = r#"
import struct, sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
assert archive.testzip() is None
print(*archive.namelist())
array = archive.read("0.npy")
assert array[:8] == b"\x93NUMPY\x01\x00"
end = 10 + struct.unpack("<H", array[8:10])[0]
assert end % 64 == 0
print(array[10:end].decode().strip())
weights = array[end:]
print(len(weights), round(sum(struct.unpack(f"<{len(weights) // 4}f", weights)), 3))
"#;

#[test]
fn python_and_numpy_read_the_matrices() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weights.npz");
    align(&["--matrices", file.to_str().unwrap()]).assert().success();
    let python = |script: &str| std::process::Command::new("python3").args(["-c", script]).arg(&file).output();
    let output = match python(UNZIP) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("python3 is not here: not tested");
            return;
        }
        output => output.unwrap(),
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let names: Vec<String> = (0..PAIRS).map(|pair| format!("{pair}.npy")).collect();
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (6, 6), }";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{}\n{header}\n144 6.0\n", names.join(" ")));

    let script = "import sys, numpy\nz = numpy.load(sys.argv[1])\nfor n in z.files: print(n, z[n].dtype, z[n].shape, round(float(z[n].sum()), 3))";
    let Some(output) = python(script).ok().filter(|output| output.status.success()) else {
        eprintln!("numpy is not here: not tested with it");
        return;
    };
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines.len(), lines[0], lines[3]), (PAIRS, "0 float32 (6, 6) 6.0", "3 float32 (0, 0) 0.0"));
}

#[test]
fn a_page_shows_the_links() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.html");
    let html = ["--html", file.to_str().unwrap()];
    let lines = records(&[&html[..], &["--json", "--gold", gold()]].concat());
    assert_eq!(lines, records(&["--json", "--gold", gold()]), "the page comes beside the usual output");
    let page = page_data(&file);
    let shown = page["pairs"].as_array().unwrap();
    assert_eq!((shown.len(), &page["total"]), (PAIRS, &PAIRS.into()));
    for (number, (pair, record)) in shown.iter().zip(&lines).enumerate() {
        let best = &pair["candidates"][0];
        assert_eq!(
            (&pair["number"], &pair["source"], &best["text"]),
            (&(number + 1).into(), &record["source"], &record["target"])
        );
        let links = |links: &Value| -> String {
            let links = links.as_array().unwrap().iter().map(|link| format!("{}-{}", link[0], link[1]));
            links.collect::<Vec<_>>().join(" ")
        };
        assert_eq!((&Value::from(links(&best["links"])), &pair["gold"]["aer"]), (&record["links"], &record["aer"]));
        if BLANK.contains(&number) {
            assert!(best["words"].is_null() && best["subwords"].is_null(), "{best}");
            continue;
        }
        assert_eq!(links(&pair["gold"]["sure"]), "0-0 1-1 2-2 4-5 5-4");
        assert_eq!(links(&pair["gold"]["possible"]), "3-3");
        assert_eq!(best["words"]["source"], record["source_tokens"]);
        let weight = best["words"]["weights"][0][0].as_f64().unwrap() / 1000.0;
        assert!((weight - record["alignment"][0][0].as_f64().unwrap()).abs() < 0.001);
        // The attention of six words: what goes to the end of the source is not counted.
        let coverage = best["words"]["coverage"].as_array().unwrap();
        let sum: f64 = coverage.iter().map(|weight| weight.as_f64().unwrap() / 1000.0).sum();
        assert!(coverage.len() == 6 && sum > 4.0 && sum < 6.01, "{coverage:?}");
    }
    let output = align(&[&html[..], &["--html-pairs", "10"]].concat()).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("the page of --html has the first 10 of 42 pairs (--html-pairs)"), "{told}");
    let page = page_data(&file);
    assert_eq!((page["pairs"].as_array().unwrap().len(), &page["total"]), (10, &PAIRS.into()));
    assert!(page["pairs"][0].get("gold").is_none());
    assert_fails(&mut align(&["--html-pairs", "10"]), 2, &["--html"]);
    assert_fails(&mut align(&[html[0], html[1], "--output", html[1]]), 2, &["are one file"]);
}

#[test]
fn overlong_pairs_have_no_links() {
    let output = align(&["--max-length", "5"]).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && told.contains("41 pairs, ") && told.contains("a.en:1 the first"), "{told}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "\n".repeat(PAIRS));
    let record = &records(&["--max-length", "5", "--json"])[0];
    assert_eq!((&record["log_prob"], record["target_tokens"].as_array().unwrap().len()), (&Value::Null, 6));
}

#[test]
fn mistakes_are_told_with_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let with = |source: &Path, target: &Path, args: &[&str]| {
        let mut command = with_model("align", args.iter().copied());
        command.arg("--source").arg(source).arg("--target").arg(target);
        command
    };
    let (source, target) = (write("a.en", "the dog.\nthe cat.\n"), write("a.fr", "le chien.\n"));
    let output = with(&source, &target, &[]).output().unwrap();
    assert_failed(&output, 1, &["a.en has 2 lines", "a.fr has 1", "pair line by line"]);
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 1, "what came before is not lost");
    let target = write("a.fr", "le chien.\nle chat.\n");
    for (text, says) in [
        ("1-1\n1-x\n", "g.talp:2: \"1-x\" is not a link of the talp format"),
        ("1-1\n1-1 3-1\n", "g.talp:2: the talp link 3-1 is of words beyond the sentences, which have 2 and 2 words"),
        ("1-1\n", "g.talp has the links of 1 sentence pairs, the text has 2 pairs"),
        ("1 1 1\n\n2 1 1 S\n2 4 1 P\n", "g.talp:4: the NAACL link 2 4 1 P is of words beyond"),
    ] {
        let gold = write("g.talp", text);
        let output = with(&source, &target, &["--gold", gold.to_str().unwrap()]).output().unwrap();
        assert_failed(&output, 1, &[says]);
    }
    let unclear = write("g.txt", "1-1\n1-1\n");
    let unclear = unclear.to_str().unwrap();
    assert_fails(&mut with(&source, &target, &["--gold", unclear]), 1, &["g.txt", "say which it is", "--gold-format"]);
    with(&source, &target, &["--gold", unclear, "--gold-format", "talp"]).assert().success();
    let latin = folder.path().join("latin.fr");
    fs::write(&latin, b"le chien.\n\xe9t\xe9\n").unwrap();
    assert_failed(&with(&source, &latin, &[]).output().unwrap(), 1, &["latin.fr:2: not UTF-8"]);
    assert_fails(&mut with_model("align", ["--source", "a"]), 2, &["--target"]);
    assert_fails(&mut with_model("align", []), 2, &["--source"]);
    assert_fails(&mut with(&source, &target, &["--output", source.to_str().unwrap()]), 2, &["is read and written"]);
    let out = folder.path().join("x");
    let twice = ["--output", out.to_str().unwrap(), "--matrices", out.to_str().unwrap()];
    assert_fails(&mut with(&source, &target, &twice), 2, &["are one file"]);
    assert!(CORPUS.folder.path().exists() && !out.exists());
}

/// More pairs, to learn from.
static MORE: LazyLock<[PathBuf; 2]> = LazyLock::new(|| {
    let pairs = &pairs()[..360];
    let write = |name: &str, side: fn(&(String, String)) -> &str| {
        let path = CORPUS.folder.path().join(name);
        fs::write(&path, pairs.iter().map(|pair| format!("{}\n", side(pair))).collect::<String>()).unwrap();
        path
    };
    [write("more.en", |pair| &pair.0), write("more.fr", |pair| &pair.1)]
});

/// `align` without a model.
fn statistical(args: &[&str]) -> Command {
    let mut command = rnnsearch(["align", "--statistical"]);
    command.arg("--source").arg(&CORPUS.source).arg("--target").arg(&CORPUS.target);
    command.arg("--learn-from").args(&*MORE).args(args);
    command
}

#[test]
fn statistics_link_words_without_a_model() {
    let text = stdout(&mut statistical(&["--gold", gold()]));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), PAIRS + 1);
    assert!(BLANK.iter().all(|blank| lines[*blank].is_empty()));
    let json = stdout(&mut statistical(&["--gold", gold(), "--json", "--threads", "1"]));
    let records: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(number(&records[PAIRS], "aer") < 0.25, "{}", records[PAIRS]);
    for (record, line) in records[..PAIRS].iter().zip(lines) {
        assert_eq!(record["links"], line, "the same on any number of threads");
        assert!(record["log_prob"].is_null());
        for row in record["alignment"].as_array().unwrap() {
            let sum: f64 = row.as_array().unwrap().iter().map(|weight| weight.as_f64().unwrap()).sum();
            assert!(row.as_array().unwrap().len() == 6 && sum < 2.0, "{row}");
        }
    }
    assert_eq!(records[0]["alignment"].as_array().unwrap().len(), 6);
    let count = |threshold: &str| {
        let args = ["--links", "threshold", "--threshold", threshold, "--symmetrize", "union"];
        stdout(&mut statistical(&args)).split_whitespace().count()
    };
    assert!(count("1") < count("0.5") && count("0.5") < count("0.001"));
}

#[test]
fn statistics_without_a_model_write_what_a_model_does() {
    let [npz, html] = ["s.npz", "s.html"].map(|name| CORPUS.folder.path().join(name));
    let [npz, html] = [&npz, &html].map(|path| path.to_str().unwrap());
    let text = stdout(&mut statistical(&["--matrices", npz, "--html", html, "--format", "talp"]));
    assert_eq!(text.lines().count(), PAIRS);
    assert!(fs::metadata(npz).unwrap().len() > PAIRS as u64 * 6 * 6 * 4);
    let page = page_data(Path::new(html));
    assert_eq!(page["title"], "a.en and a.fr, aligned by statistics");
    let candidate = &page["pairs"][0]["candidates"][0];
    assert_eq!(candidate["words"]["source"].as_array().unwrap().len(), 6);
    assert!(candidate.get("subwords").is_none() && candidate["log_prob"].is_null());
    // One file with tabs, and no other text.
    let tsv = CORPUS.folder.path().join("all.tsv");
    fs::write(&tsv, pairs().iter().map(|(english, french)| format!("{english}\t{french}\n")).collect::<String>())
        .unwrap();
    let mut all = rnnsearch(["align", "--statistical", "--max-length", "5", "--input", tsv.to_str().unwrap()]);
    let output = all.output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("400 pairs, ") && told.contains("more than 5 words on a side"), "{told}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "\n".repeat(400));
}

#[test]
fn options_of_models_and_of_statistics_do_not_mix() {
    for option in [&["--reverse", "x"][..], &["--read", "next"], &["--no-balance"], &["x"]] {
        assert_fails(&mut statistical(option), 2, &["cannot be used with", "--statistical"]);
    }
    for option in [&["--sweeps", "3"][..], &["--prefix", "3"], &["--keep-case"], &["--seed", "3"]] {
        assert_fails(&mut align(option), 2, &["cannot be used with", "MODEL"]);
        statistical(option).args(["--sweeps", "2"].iter().filter(|_| option[0] != "--sweeps")).assert().success();
    }
    assert_fails(&mut statistical(&["--device", "wgpu"]), 2, &["--statistical computes on the CPU"]);
    let source = CORPUS.source.to_str().unwrap();
    assert_fails(&mut rnnsearch(["align", "--source", source, "--target", source]), 2, &["<MODEL>"]);
    let more = [&*MORE[0], &*CORPUS.target].map(|path| path.to_str().unwrap());
    let unequal = ["--learn-from", more[0], more[1]];
    assert_fails(&mut statistical(&unequal), 1, &["more.en has 360 lines", "pair line by line"]);
    assert_fails(&mut statistical(&["--output", more[0]]), 2, &["is read and written"]);
}
