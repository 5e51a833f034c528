//! `translate`: order, formats, files.

use std::fs;
use std::io::{Read, Write};
use std::process::Stdio;

use serde_json::Value;

use crate::common::{
    FIXTURE, PROGRAM, assert_failed, assert_fails, contents, rnnsearch, stdout, test_sources, with_model,
};

fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_line_in_gives_a_line_out() {
    let one = |line: &str| stdout(with_model("translate", []).write_stdin(format!("{line}\n")));
    let (dog, cat) = (one("the dog likes a red hat."), one("the cat sees a blue boat."));
    assert_ne!(dog, cat);
    let text = "the dog likes a red hat.\n\n   \r\nthe cat sees a blue boat.\r\nthe dog likes a red hat.";
    assert_eq!(stdout(with_model("translate", []).write_stdin(text)), format!("{dog}\n\n{cat}{dog}"));
    assert_eq!(stdout(with_model("translate", ["-"]).write_stdin("\n")), "\n");
    assert_eq!(stdout(with_model("translate", []).write_stdin("")), "");
}

#[test]
fn the_model_has_learned_something() {
    let translated = stdout(with_model("translate", []).write_stdin("the dog likes a red hat.\n"));
    assert!(translated.ends_with(".\n") && translated.contains("un "), "{translated}");
}

#[test]
fn files_are_read_and_written() {
    let folder = tempfile::tempdir().unwrap();
    let [input, output] = ["in.en", "out.fr"].map(|name| folder.path().join(name));
    let text = test_sources()[..10].join("\n");
    fs::write(&input, &text).unwrap();
    let expected = stdout(with_model("translate", []).write_stdin(text));
    assert_eq!(expected.lines().count(), 10);
    assert_eq!(stdout(with_model("translate", []).arg(&input)), expected);
    with_model("translate", []).arg(&input).arg("--output").arg(&output).assert().success().stdout("").stderr("");
    assert_eq!(fs::read_to_string(&output).unwrap(), expected);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn json_has_words_and_their_alignment() {
    let lines = stdout(with_model("translate", ["--json"]).write_stdin("the dog likes a red hat.\n\n"));
    let lines = json_lines(&lines);
    let keys: Vec<&String> = lines[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["source", "translation", "score", "log_prob", "source_tokens", "target_tokens", "alignment"]);
    assert_eq!(lines[0]["source"], "the dog likes a red hat.");
    let expected = ["the", "dog", "likes", "a", "red", "hat", ".", "</s>"];
    assert_eq!(lines[0]["source_tokens"].as_array().unwrap(), &expected);
    check_matrix(&lines[0]);
    assert!(lines[0]["log_prob"].as_f64().unwrap() < lines[0]["score"].as_f64().unwrap());
    assert_eq!((&lines[1]["translation"], lines[1]["alignment"].as_array().unwrap().len()), (&"".into(), 0));

    let subwords = stdout(with_model("translate", ["--json", "--subwords"]).write_stdin("the dog likes a red hat.\n"));
    let subwords = &json_lines(&subwords)[0];
    check_matrix(subwords);
    assert!(subwords["source_tokens"].as_array().unwrap().len() > expected.len());
    assert_eq!(subwords["translation"], lines[0]["translation"]);
}

/// A row for each target token, a column for each source token, rows that sum to 1.
fn check_matrix(record: &Value) {
    let size = |key: &str| record[key].as_array().unwrap().len();
    let rows = record["alignment"].as_array().unwrap();
    assert_eq!(rows.len(), size("target_tokens"));
    for row in rows {
        let row: Vec<f64> = row.as_array().unwrap().iter().map(|weight| weight.as_f64().unwrap()).collect();
        assert_eq!(row.len(), size("source_tokens"));
        assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-3, "{row:?}");
    }
}

#[test]
fn n_best_lists_are_ranked() {
    let text = "the dog likes a red hat.\n\nthe cat sees a blue boat.\n";
    let best = stdout(with_model("translate", ["--beam", "3"]).write_stdin(text));
    let list = stdout(with_model("translate", ["--n-best", "3"]).write_stdin(text));
    let rows: Vec<Vec<&str>> = list.lines().map(|line| line.split(" ||| ").collect()).collect();
    assert_eq!(rows.iter().map(|row| row[0]).collect::<Vec<_>>(), ["0", "0", "0", "1", "2", "2", "2"]);
    assert!(rows.iter().all(|row| row.len() == 3));
    let scores: Vec<f64> = rows[..3].iter().map(|row| row[2].parse().unwrap()).collect();
    assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
    // The beam of the model's own settings is wider: only lists of the same beam begin with what it finds best.
    let narrow = stdout(with_model("translate", ["--n-best", "3", "--beam", "3"]).write_stdin(text));
    let narrow: Vec<&str> = narrow.lines().filter_map(|line| line.split(" ||| ").nth(1)).collect();
    assert_eq!([0, 3, 4].map(|row| narrow[row]).to_vec(), best.lines().collect::<Vec<_>>());

    let json = stdout(with_model("translate", ["--n-best", "2", "--json"]).write_stdin(text));
    let record = &json_lines(&json)[0];
    let alternatives = record["n_best"].as_array().unwrap();
    assert_eq!(alternatives.len(), 2);
    assert_eq!(
        (&alternatives[0]["translation"], &alternatives[0]["score"]),
        (&record["translation"], &record["score"])
    );
    assert!(alternatives[1]["alignment"].is_array());
}

#[test]
fn links_follow_a_tab() {
    let text = "the dog likes a red hat.\n\n";
    let plain = stdout(with_model("translate", []).write_stdin(text));
    let linked = stdout(with_model("translate", ["--alignments", "pharaoh"]).write_stdin(text));
    let (translation, links) = linked.lines().next().unwrap().split_once('\t').unwrap();
    assert_eq!(translation, plain.lines().next().unwrap());
    let words = translation.split(' ').count();
    let links: Vec<(usize, usize)> = links
        .split(' ')
        .map(|link| link.split_once('-').unwrap())
        .map(|(s, t)| (s.parse().unwrap(), t.parse().unwrap()))
        .collect();
    assert!(links.len() > 3 && links.iter().all(|&(source, target)| source < 6 && target < words), "{links:?}");
    assert_eq!(linked.lines().nth(1), Some("\t"));

    let list = stdout(with_model("translate", ["--alignments", "pharaoh", "--n-best", "2"]).write_stdin(text));
    assert_eq!(list.lines().next().unwrap().split(" ||| ").count(), 4);
    let json = stdout(with_model("translate", ["--alignments", "pharaoh", "--json"]).write_stdin(text));
    let record = &json_lines(&json)[0];
    assert_eq!(record["source_tokens"].as_array().unwrap().len(), 6);
    assert!(record["alignment"].is_null() && record["links"].as_str().unwrap().contains("-0"));
}

#[test]
fn long_sources_are_translated_in_pieces() {
    let sentence = "the dog likes a red hat. ";
    let long = stdout(with_model("translate", ["--json"]).write_stdin(sentence.repeat(60)));
    let record = &json_lines(&long)[0];
    assert_eq!(record["source_tokens"].as_array().unwrap().len(), 60 * 7 + 1);
    check_matrix(record);
    // The model makes one sentence of each piece; but nothing of the source is passed over.
    assert!(record["translation"].as_str().unwrap().matches('.').count() >= 3, "{}", record["translation"]);
    let weight = |columns: std::ops::Range<usize>| -> f64 {
        let rows = record["alignment"].as_array().unwrap().iter();
        rows.map(|row| columns.clone().map(|column| row[column].as_f64().unwrap()).sum::<f64>()).sum()
    };
    for quarter in 0..4 {
        assert!(weight(quarter * 105..(quarter + 1) * 105) > 1.0, "quarter {quarter} is not looked at");
    }
}

#[test]
fn options_that_need_others_say_so() {
    assert_fails(&mut with_model("translate", ["--alignments", "soft"]), 2, &["--alignments soft needs --json"]);
    assert_fails(&mut with_model("translate", ["--subwords"]), 2, &["--subwords needs --json or --alignments"]);
}

#[test]
fn the_input_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("text");
    fs::write(&input, "the dog\n").unwrap();
    let mut command = with_model("translate", []);
    assert_fails(command.arg(&input).arg("--output").arg(&input), 2, &["is read and written"]);
    assert_eq!(fs::read(&input).unwrap(), b"the dog\n");
    let exported = folder.path().join("m.safetensors");
    fs::write(&exported, FIXTURE.model()).unwrap();
    let mut command = rnnsearch(["translate"]);
    assert_fails(command.arg(&exported).arg(&input).arg("--output").arg(&exported), 2, &["is read and written"]);
    assert_eq!(fs::read(&exported).unwrap(), FIXTURE.model());
}

#[test]
fn bad_text_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let [input, output] = ["in", "out"].map(|name| folder.path().join(name));
    fs::write(&input, b"the dog\n\nca\xe9\n").unwrap();
    let before = contents(folder.path());
    let mut command = with_model("translate", []);
    assert_fails(command.arg(&input).arg("--output").arg(&output), 1, &["in:3: not UTF-8", "iconv"]);
    assert_eq!(contents(folder.path()), before);
    let mut command = with_model("translate", []);
    assert_fails(command.arg(folder.path().join("none")), 1, &["none", "No such file"]);
    let mut command = with_model("translate", []);
    assert_fails(command.arg(&input).arg("--output").arg(folder.path().join("no/out")), 1, &["cannot write", "no/out"]);
}

#[test]
fn overlong_lines_are_told_of() {
    let long = "the dog likes a red hat. ".repeat(60);
    let output = with_model("translate", []).write_stdin(format!("the dog.\n{long}\n")).assert().success();
    let message = String::from_utf8(output.get_output().stderr.clone()).unwrap();
    assert!(message.starts_with("line 2 has more than 250 tokens and was translated in pieces"), "{message}");
    with_model("translate", ["-q"]).write_stdin(long).assert().success().stderr("");
}

#[test]
fn running_text_is_translated_sentence_by_sentence() {
    let [dog, cat, bird] = ["The dog likes a red hat.", "My brother, Mr. Bird, sees a boat!", "A bird wants a book."];
    let sentences = stdout(with_model("translate", []).write_stdin(format!("{dog}\n{cat}\n{bird}\n")));
    let sentences: Vec<&str> = sentences.lines().collect();
    let text = format!("\t{dog}  {cat}\r\n\n{bird} {dog}{bird}\n  \n{cat}");
    // Without a blank there is no sentence end.
    let expected = |joined: &str| {
        let [dog, cat, bird] = [sentences[0], sentences[1], sentences[2]];
        format!("\t{dog}  {cat}\n\n{bird} {joined}\n  \n{cat}\n")
    };
    let joined = stdout(with_model("translate", []).write_stdin(format!("{dog}{bird}\n")));
    for options in [&["--document"][..], &["--document", "--flush", "line"], &["--document", "--batch", "1"]] {
        let translated = stdout(with_model("translate", options.iter().copied()).write_stdin(&*text));
        assert_eq!(translated, expected(joined.trim_end()));
    }
    assert_eq!(stdout(with_model("translate", ["--document"]).write_stdin("")), "");
    for other in [&["--n-best", "2"][..], &["--json"], &["--jsonl"], &["--alignments", "pharaoh"], &["--subwords"]] {
        let mut translate = with_model("translate", ["--document"].into_iter().chain(other.iter().copied()));
        assert_fails(translate.write_stdin(""), 2, &["cannot be used with", other[0]]);
    }
}

/// Standard output and standard error of a command that succeeds.
fn both(command: &mut assert_cmd::Command) -> [String; 2] {
    let output = command.assert().success().get_output().clone();
    [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap())
}

#[test]
fn lines_that_cannot_be_read_stop_are_blank_or_left_out() {
    let bytes = b"the dog likes a red hat.\nca\xe9\n\nthe cat sees a blue boat.\n\xff\n";
    let good = stdout(with_model("translate", []).write_stdin("the dog likes a red hat.\nthe cat sees a blue boat.\n"));
    let [dog, cat] = [0, 1].map(|line| good.lines().nth(line).unwrap());
    let run = |options: &[&str]| both(with_model("translate", options.iter().copied()).write_stdin(&bytes[..]));

    let [empty, told] = run(&["--on-error", "empty"]);
    assert_eq!(empty, format!("{dog}\n\n\n{cat}\n\n"));
    for part in [
        "warning: standard input:2: not UTF-8",
        "the line is left blank\n",
        "input:5: ",
        "2 lines could not be translated",
    ] {
        assert!(told.contains(part), "{told}");
    }
    let [skip, told] = run(&["--on-error", "skip", "--quiet", "--flush", "line"]);
    assert_eq!(skip, format!("{dog}\n\n{cat}\n"));
    assert!(told.ends_with("warning: 2 lines could not be translated and were left out\n"), "{told}");
    // The numbers of an n-best list are those of the input.
    let numbers = |options: &[&str]| -> Vec<String> {
        let [list, _] = run(options);
        list.lines().map(|line| line.split(" ||| ").next().unwrap().to_owned()).collect()
    };
    assert_eq!(numbers(&["--n-best", "2", "--on-error", "skip"]), ["0", "0", "2", "3", "3"]);
    assert_eq!(numbers(&["--n-best", "2", "--on-error", "empty"]), ["0", "0", "1", "2", "3", "3", "4"]);
    let [json, _] = run(&["--json", "--on-error", "empty"]);
    let records = json_lines(&json);
    assert!(records[1]["error"].as_str().unwrap().starts_with("standard input:2: not UTF-8"), "{json}");
    assert_eq!((records.len(), &records[3]["translation"]), (5, &cat.into()));

    for options in [&[][..], &["--on-error", "fail"]] {
        let output = with_model("translate", options.iter().copied()).write_stdin(&bytes[..]).output().unwrap();
        assert_failed(&output, 1, &["standard input:2: not UTF-8"]);
        assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{dog}\n"));
    }
}

#[test]
fn json_that_is_wrong_is_blank_or_left_out() {
    let input = "{\"text\": \"the dog\", \"id\": 1}\nthe cat\n{\"text\": \"\", \"id\": 3}\n";
    let run = |rule: &str| both(with_model("translate", ["--jsonl", "--on-error", rule]).write_stdin(input));
    let [out, told] = run("empty");
    let records = json_lines(&out);
    assert_eq!(records.iter().map(|record| &record["id"]).collect::<Vec<_>>(), [&1.into(), &Value::Null, &3.into()]);
    assert!(records[1]["error"].as_str().unwrap().starts_with("standard input:2: not JSON"), "{out}");
    assert!(told.contains("1 line could not be translated and was left blank"), "{told}");
    let [out, _] = run("skip");
    assert_eq!(json_lines(&out).iter().map(|record| record["id"].as_u64()).collect::<Vec<_>>(), [Some(1), Some(3)]);
}

#[test]
fn shards_put_together_are_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut lines = test_sources()[..11].to_vec();
    lines[4].clear();
    let text = lines.join("\n") + "\n";
    let run = |options: &[&str], shard: usize| {
        let shard = format!("{shard}/3");
        let options = options.iter().copied().chain(["--shard", &shard]);
        let part = stdout(with_model("translate", options).write_stdin(&*text));
        fs::write(folder.path().join(format!("out.{}", &shard[..1])), &part).unwrap();
        part.lines().count()
    };
    let merged = |command: &str| {
        let merge = std::process::Command::new("sh").args(["-c", command]).current_dir(&folder).output().unwrap();
        String::from_utf8(merge.stdout).unwrap()
    };
    assert_eq!([1, 2, 3].map(|shard| run(&[], shard)), [4, 4, 3]);
    let whole = stdout(with_model("translate", []).write_stdin(&*text));
    assert_eq!(merged("paste -d '\\n' out.1 out.2 out.3 | head -n 11"), whole);
    assert_eq!([1, 2, 3].map(|shard| run(&["--n-best", "2"], shard)), [8, 7, 6]);
    assert_eq!(merged("sort -msn out.*"), stdout(with_model("translate", ["--n-best", "2"]).write_stdin(&*text)));
}

#[test]
fn a_wrong_line_is_that_of_one_shard() {
    let code = |shard: &str| {
        let mut translate = with_model("translate", ["--shard", shard]);
        translate.write_stdin(&b"the dog\n\xff\nthe cat\n"[..]).output().unwrap().status.code()
    };
    assert_eq!((code("1/2"), code("2/2")), (Some(0), Some(1)));
    let mut wrong = with_model("translate", ["--shard", "1/2", "--on-error", "skip"]);
    assert_fails(wrong.write_stdin(""), 2, &["--shard with --on-error skip", "--on-error empty"]);
    assert_fails(with_model("translate", ["--shard", "3/2"]).write_stdin(""), 2, &["I/N"]);
}

#[test]
fn a_damaged_file_always_fails() {
    let folder = tempfile::tempdir().unwrap();
    let [text, damaged] = ["text", "text.gz"].map(|name| folder.path().join(name));
    let line = |number: usize| format!("the dog number {} likes a red hat.\n", number * 7919 % 10_007);
    fs::write(&text, (0..400).map(line).collect::<String>()).unwrap();
    let zipped = std::process::Command::new("gzip").arg("-c").arg(&text).output().unwrap().stdout;
    fs::write(&damaged, &zipped[..zipped.len() / 2]).unwrap();
    for rule in ["fail", "empty", "skip"] {
        let mut command = with_model("translate", ["--beam", "1", "--on-error", rule]);
        let output = command.arg(&damaged).output().unwrap();
        assert_failed(&output, 1, &["text.gz` is damaged or cut short, after line"]);
    }
}

/// Whether a screen's last words are an empty prompt, drawn to its end.
#[cfg(target_os = "linux")]
fn is_prompt(shown: &[u8]) -> bool {
    let after = shown.windows(4).rposition(|four| four == b"en> ").map(|at| &shown[at + 4..]);
    after.is_some_and(|after| after.ends_with(b"\x1b[?2026l") && after.len() <= b"\r\x1b[4C\x1b[?2026l".len())
}

/// Types lines at the prompt, at a terminal of so many columns, each when the one before is answered; returns the answers.
#[cfg(target_os = "linux")]
fn at_the_prompt(home: &std::path::Path, columns: u16, lines: &[&str]) -> Vec<String> {
    at_the_prompt_with(home, columns, [("TERM", "xterm")], lines)
}

/// As [`at_the_prompt`], with some variables.
#[cfg(target_os = "linux")]
fn at_the_prompt_with<'a>(
    home: &std::path::Path,
    columns: u16,
    variables: impl IntoIterator<Item = (&'a str, &'a str)>,
    lines: &[&str],
) -> Vec<String> {
    let program = format!("stty cols {columns} rows 24 -echo; exec '{PROGRAM}' translate '{}'", FIXTURE.run.display());
    let mut script = std::process::Command::new("script");
    script.args(["-q", "-e", "-c", &program, "/dev/null"]).env("HOME", home).env_remove("XDG_STATE_HOME");
    let mut script = script
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .envs(variables)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut keyboard, mut screen) = (script.stdin.take().unwrap(), script.stdout.take().unwrap());
    let mut answer = |asks: bool| {
        let (mut shown, mut byte) = (Vec::new(), [0]);
        while !(asks && is_prompt(&shown)) && screen.read(&mut byte).unwrap() == 1 {
            shown.push(byte[0]);
        }
        String::from_utf8(shown).unwrap()
    };
    answer(true);
    let mut answers = Vec::new();
    for line in lines {
        writeln!(keyboard, "{line}").unwrap();
        answers.push(answer(*line != ":quit"));
    }
    assert!(script.wait().unwrap().success());
    answers
}

#[test]
#[cfg(target_os = "linux")]
fn the_prompt_translates_and_knows_its_commands() {
    let home = tempfile::tempdir().unwrap();
    let translated = stdout(with_model("translate", []).write_stdin("the dog likes a red hat.\n"));
    for columns in [80, 20] {
        let lines = ["the dog likes a red hat.", ":align", ":alt", ":beam 3", ":nonsense", ":quit"];
        let answers = at_the_prompt(home.path(), columns, &lines);
        for (answer, part) in
            answers.iter().zip([translated.trim(), "chien", translated.trim(), "beam 3", "no command"])
        {
            assert!(answer.contains(part), "{part:?} at {columns} columns: {answer:?}");
        }
        assert!(answers[2].lines().count() > 3, "one line an alternative: {:?}", answers[2]);
    }
    let history = fs::read_to_string(home.path().join(".local/state/rnnsearch/history.txt")).unwrap();
    assert!(history.contains("the dog likes a red hat."), "{history}");
}

/// What stood on the row of a growing translation, one after the other.
#[cfg(target_os = "linux")]
fn rows(answer: &str) -> Vec<&str> {
    answer.split("\x1b[K").filter_map(|shown| shown.rsplit_once('\r')).map(|(_, row)| row).collect()
}

#[test]
#[cfg(target_os = "linux")]
fn a_translation_is_seen_to_grow() {
    let home = tempfile::tempdir().unwrap();
    let translated = stdout(with_model("translate", ["--beam", "1"]).write_stdin("the dog likes a red hat.\n"));
    let lines = [":beam 1", "the dog likes a red hat.", ":quit"];
    let answers = at_the_prompt(home.path(), 80, &lines);
    let is_part = |row: &&str| !row.is_empty() && translated.starts_with(row);
    let grown: Vec<&str> = rows(&answers[1]).into_iter().filter(is_part).collect();
    assert!(grown.len() > 3 && grown.contains(&"le chien") && grown.is_sorted_by_key(|row| row.len()), "{grown:?}");
    assert!(answers[1].contains(&format!("\r\x1b[K{}", translated.trim())), "{:?}", answers[1]);
    // In a narrow terminal no row wraps.
    let answers = at_the_prompt(home.path(), 20, &lines);
    let narrow: Vec<&str> = rows(&answers[1]).into_iter().filter(|row| row.starts_with('…')).collect();
    assert!(!narrow.is_empty() && narrow.iter().all(|row| row.chars().count() <= 18), "{narrow:?}");
}

#[test]
#[cfg(target_os = "linux")]
fn the_prompt_minds_what_the_terminal_can_show() {
    let home = tempfile::tempdir().unwrap();
    let lines = [":time on", "the dog likes a red hat.", ":align", ":time off", "the cat", ":quit"];
    let (dim, cell) = ("\x1b[2m", "\x1b[48;2;");
    let answers = at_the_prompt(home.path(), 80, &lines);
    assert!(answers[1].contains(dim) && answers[1].contains(" s\x1b[0m") && answers[2].contains(cell), "{answers:?}");
    assert!(answers[3].contains("time off") && !answers[4].contains(dim), "{answers:?}");
    let answers = at_the_prompt_with(home.path(), 80, [("NO_COLOR", "1")], &lines);
    assert!(answers[1].contains(" s\r\n") && !answers.concat().contains(dim), "{answers:?}");
    assert!(answers[2].contains("chien") && !answers[2].contains(cell), "{answers:?}");
}
