//! `translate`: what translations must hold, keep, and look at.

use std::fs;

use serde_json::{Value, json};

use crate::common::{assert_fails, stdout, test_sources, with_model};

fn translated(options: &[&str], input: &str) -> Vec<String> {
    let mut translate = with_model("translate", options.iter().copied());
    stdout(translate.write_stdin(input)).lines().map(str::to_owned).collect()
}

/// The answers to some sources, each with fields of its own.
fn answers(options: &[&str], fields: impl Fn(usize) -> Value) -> Vec<Value> {
    let object = |(number, source): (usize, &String)| {
        let mut object = fields(number);
        object["text"] = source.as_str().into();
        object.to_string() + "\n"
    };
    let input: String = test_sources()[..20].iter().enumerate().map(object).collect();
    let lines = translated(&[options, &["--jsonl"]].concat(), &input);
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text(answer: &Value) -> &str {
    answer["translation"].as_str().unwrap()
}

/// Whether a phrase comes as whole words.
fn has(text: &str, phrase: &str) -> bool {
    let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    text.match_indices(phrase).any(|(at, _)| {
        let (before, behind) = (text[..at].chars().next_back(), text[at + phrase.len()..].chars().next());
        !(letter(before) && letter(phrase.chars().next()) || letter(behind) && letter(phrase.chars().next_back()))
    })
}

#[test]
fn what_is_required_comes() {
    let phrases = ["chapeau", "un oiseau", "zèbre", "le jardin bleu", "!"];
    for options in [&[][..], &["--beam", "1"], &["--n-best", "3"], &["--max-ratio", "0"]] {
        let two = |number: usize| [phrases[number % 5], phrases[(number / 5 + number + 1) % 5]];
        for (number, answer) in answers(options, |number| json!({ "require": two(number) })).iter().enumerate() {
            assert!(two(number).iter().all(|phrase| has(text(answer), phrase)), "{answer}");
            for candidate in answer["n_best"].as_array().into_iter().flatten() {
                assert!(two(number).iter().all(|phrase| has(text(candidate), phrase)), "{candidate}");
            }
        }
    }
    for answer in answers(&[], |_| json!({ "require": [["zèbre", "chapeau noir"]], "prefix": "un oiseau" })) {
        assert!(has(text(&answer), "zèbre") || has(text(&answer), "chapeau noir"), "{answer}");
        assert!(text(&answer).starts_with("un oiseau"), "{answer}");
    }
    let plain = translated(&[], &(test_sources()[..20].join("\n") + "\n"));
    for (answer, plain) in answers(&[], |_| json!({ "require": [" "] })).iter().zip(plain) {
        assert_eq!(text(answer), plain);
    }
}

#[test]
fn what_cannot_be_required_is_told_with_its_line() {
    let told = |options: &[&str], line: Value, says: &[&str]| {
        let mut translate = with_model("translate", [options, &["--jsonl"]].concat());
        assert_fails(translate.write_stdin(line.to_string()), 1, &[&["standard input:1: "], says].concat());
    };
    told(&[], json!({ "text": "a", "require": "x" }), &["`require` is \"x\", not a list of texts"]);
    told(&["--sample", "2"], json!({ "text": "a", "require": ["x"] }), &["not of samples"]);
    told(&[], json!({ "text": "a", "require": ["x y"], "forbid": ["y"] }), &["\"y\" is forbidden"]);
    told(&[], json!({ "text": " ", "require": ["x"] }), &["the text is blank"]);
    told(&[], json!({ "text": "a b", "pin": "0" }), &["`pin` is \"0\", not links"]);
    told(&[], json!({ "text": "a b", "pin": "2-0" }), &["source word 2", "the source has 2"]);
    told(&[], json!({ "text": "a b", "pin": "1-0", "avoid": "1-0" }), &["1-0 is pinned and avoided"]);
}

#[test]
fn a_glossary_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("terms.tsv");
    let terms = path.to_str().unwrap();
    fs::write(
        &path,
        "# animals\n\nbird\tpinson\nred hat\tbonnet\nhat\tcoiffe\nBoat\tbateau\nboat\tnavire\nboat\tbarque\n",
    )
    .unwrap();
    let sources = test_sources();
    let translations = translated(&["--glossary", terms], &(sources.join("\n") + "\n"));
    assert_eq!(translations.len(), sources.len());
    let mut used = [0; 4];
    for (source, translation) in sources.iter().zip(&translations) {
        let cases = [
            (has(source, "bird"), has(translation, "pinson")),
            (has(source, "red hat"), has(translation, "bonnet")),
            (has(source, "hat") && !has(source, "red hat"), has(translation, "coiffe")),
            (has(source, "boat"), has(translation, "navire") || has(translation, "barque")),
        ];
        for (number, (asked, found)) in cases.into_iter().enumerate() {
            assert!(found || !asked, "{source}: {translation}");
            used[number] += usize::from(asked);
        }
    }
    assert!(used.iter().all(|used| *used > 0), "{used:?}");
    fs::write(&path, "bird\tpinson\nhat\n").unwrap();
    assert_fails(with_model("translate", ["--glossary", terms]).write_stdin("a"), 1, &["terms.tsv:2: there is no tab"]);
    assert_fails(with_model("translate", ["--glossary", "/no/such.tsv"]).write_stdin("a"), 1, &["/no/such.tsv"]);
}

#[test]
fn protected_pieces_come_back() {
    let pieces = ["{name}", "https://example.org/a?b", "%s", "a.b@example.org", "№7"];
    let lines: Vec<String> = test_sources()[..20]
        .iter()
        .enumerate()
        .map(|(number, source)| source.replacen(" a ", &format!(" {} ", pieces[number % 5]), 1))
        .collect();
    let translations = translated(&["--protect", "--protect-pattern", "№\\d"], &(lines.join("\n") + "\n"));
    for (number, translation) in translations.iter().enumerate() {
        let piece = pieces[number % 5];
        let expected = usize::from(lines[number].contains(piece));
        assert_eq!(translation.matches(piece).count(), expected, "{} {translation}", lines[number]);
    }
    let wrong = ["--protect-pattern", "("];
    assert_fails(with_model("translate", wrong).write_stdin("a"), 2, &["--protect-pattern", "unclosed group"]);
}

#[test]
fn markup_is_put_back() {
    let sources = &test_sources()[..20];
    let plain = translated(&[], &(sources.join("\n") + "\n"));
    let marked: Vec<String> = sources
        .iter()
        .map(|source| {
            let (first, rest) = source.split_once(' ').unwrap();
            format!("<p>{first} <a href=\"x > y\"><b>{}</b></a><br/></p>", rest.trim_end_matches('.')) + "."
        })
        .collect();
    let translations = translated(&["--markup", "html"], &(marked.join("\n") + "\n"));
    for (translation, plain) in translations.iter().zip(&plain) {
        let places = ["<p>", "<a href=\"x > y\">", "<b>", "</b>", "</a>", "<br/>", "</p>"].map(|tag| {
            assert_eq!(translation.matches(tag).count(), 1, "{translation}");
            translation.find(tag).unwrap()
        });
        assert!(places[..5].is_sorted() && places[0] < places[5] && places[5] < places[6], "{translation}");
        let tagless = ["<p>", "<a href=\"x > y\">", "<b>", "</b>", "</a>", "<br/>", "</p>"]
            .iter()
            .fold(translation.clone(), |text, tag| text.replace(tag, ""));
        assert_eq!(&tagless, plain);
    }
    assert_eq!(translated(&["--markup", "html"], "<br/>\n"), ["<br/>"]);
}

#[test]
fn links_are_where_they_must_be() {
    let links = |fields: Value| -> Vec<Vec<(usize, usize)>> {
        let link = |link: &str| {
            let (source, target) = link.split_once('-').unwrap();
            (source.parse().unwrap(), target.parse().unwrap())
        };
        let links = |answer: &Value| answer["links"].as_str().unwrap().split(' ').map(link).collect();
        answers(&["--alignments", "pharaoh"], |_| fields.clone()).iter().map(links).collect()
    };
    for (pin, avoid) in [("0-1 3-2", ""), ("", "0-0 1-0 2-1"), ("4-0", "1-1 1-2")] {
        let parse = |text: &str| -> Vec<(usize, usize)> {
            let link = |link: &str| {
                let (source, target) = link.split_once('-').unwrap();
                (source.parse().unwrap(), target.parse().unwrap())
            };
            text.split_whitespace().map(link).collect()
        };
        for found in links(json!({ "pin": pin, "avoid": avoid })) {
            for (source, target) in parse(pin) {
                assert!(found.iter().all(|link| link.1 != target || link.0 == source), "{pin} {found:?}");
                assert!(found.contains(&(source, target)) || found.iter().all(|link| link.1 < target), "{found:?}");
            }
            assert!(parse(avoid).iter().all(|link| !found.contains(link)), "{avoid} {found:?}");
        }
    }
    assert_eq!(links(json!({ "pin": "", "avoid": "" })), links(json!({})));
}

#[test]
fn groups_find_what_differs() {
    let sources = test_sources()[..20].join("\n") + "\n";
    let list = |options: &[&str]| translated(&[&["--beam", "6", "--n-best", "6"], options].concat(), &sources);
    let different = |lines: &[String]| {
        let words = |number: usize| {
            let of_line = lines.iter().filter(move |line| line.starts_with(&format!("{number} |||")));
            let words = of_line.flat_map(|line| line.split(" ||| ").nth(1).unwrap().split(' '));
            words.collect::<std::collections::BTreeSet<&str>>().len()
        };
        (0..20).map(words).sum::<usize>()
    };
    let plain = list(&[]);
    assert_eq!(list(&["--diverse-groups", "1", "--diversity", "2"]), plain);
    let diverse = list(&["--diverse-groups", "6", "--diversity", "3"]);
    let alike = list(&["--diverse-groups", "6", "--diversity", "0.5"]);
    let counts = [&plain, &diverse, &alike].map(|lines| different(lines));
    assert!(counts[1] > counts[0] && counts[1] > counts[2], "{counts:?}");
    let too_many = ["--beam", "2", "--diverse-groups", "3"];
    assert_fails(with_model("translate", too_many).write_stdin(""), 2, &["--diverse-groups 3", "--beam 2"]);
    assert_fails(with_model("translate", ["--diversity", "1"]).write_stdin(""), 2, &["--diverse-groups"]);
}
