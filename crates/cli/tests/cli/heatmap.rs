//! `heatmap`: pictures, drawings, numbers.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::common::{FIXTURE, assert_fails, contents, corpus, page_data, rnnsearch, stdout, with_model};

const SOURCE: [&str; 2] = ["--source", "the dog likes a red hat."];

#[test]
fn pictures_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let draw = |name: &str, args: &[&str]| {
        let file = folder.path().join(name);
        let mut command = with_model("heatmap", SOURCE);
        command
            .arg("--output")
            .arg(&file)
            .args(args)
            .assert()
            .success()
            .stdout("")
            .stderr(format!("wrote `{}`\n", file.display()));
        fs::read(file).unwrap()
    };
    let svg = String::from_utf8(draw("a.svg", &["--title", "Figure <3>"])).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("Figure &lt;3&gt;") && svg.contains(">likes<"), "{svg}");
    assert_ne!(svg.as_bytes(), draw("dark.svg", &["--theme", "dark", "--title", "Figure <3>"]));
    assert_ne!(svg.as_bytes(), draw("grey.svg", &["--palette", "grey", "--title", "Figure <3>"]));
    let width = |png: &[u8]| u32::from_be_bytes(png[16..20].try_into().unwrap());
    let (small, large) = (draw("a.png", &["--scale", "1"]), draw("b.PNG", &[]));
    assert!(small.starts_with(b"\x89PNG\r\n\x1a\n"));
    assert_eq!(2 * width(&small), width(&large));
    let given = String::from_utf8(draw("c.svg", &["--target", "le chien aime un chapeau rouge."])).unwrap();
    assert!(given.contains(">chapeau<"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 6);
}

#[test]
fn a_page_has_all_that_the_beam_found() {
    let folder = tempfile::tempdir().unwrap();
    let draw = |name: &str, args: &[&str]| {
        let file = folder.path().join(name);
        with_model("heatmap", SOURCE).arg("--output").arg(&file).args(args).assert().success();
        page_data(&file)
    };
    let page = draw("a.html", &["--title", "</title>", "--theme", "dark"]);
    assert_eq!((&page["title"], &page["theme"], &page["total"]), (&"</title>".into(), &"dark".into(), &1.into()));
    let candidates = page["pairs"][0]["candidates"].as_array().unwrap();
    let translated =
        stdout(with_model("translate", ["--json", "--n-best", "5"]).write_stdin("the dog likes a red hat.\n"));
    let translated: Value = serde_json::from_str(&translated).unwrap();
    let n_best = translated["n_best"].as_array().unwrap();
    assert_eq!(candidates.len(), n_best.len());
    assert!(candidates.len() > 1, "{candidates:?}");
    for (candidate, expected) in candidates.iter().zip(n_best) {
        assert_eq!((&candidate["text"], &candidate["score"]), (&expected["translation"], &expected["score"]));
        assert_eq!(candidate["words"]["target"], expected["target_tokens"]);
        let thousandths = |weight: &Value| (weight.as_f64().unwrap() * 1000.0).round() as i64;
        for (row, expected) in
            candidate["words"]["weights"].as_array().unwrap().iter().zip(expected["alignment"].as_array().unwrap())
        {
            for (weight, expected) in row.as_array().unwrap().iter().zip(expected.as_array().unwrap()) {
                assert!((weight.as_i64().unwrap() - thousandths(expected)).abs() <= 1);
            }
        }
        let subwords = &candidate["subwords"]["target"];
        assert_eq!(subwords.as_array().unwrap().len() as i64, candidate["length"].as_i64().unwrap());
    }
    let page = draw("b.htm", &["--target", "le chien aime un chapeau rouge."]);
    assert_eq!(page["pairs"][0]["candidates"].as_array().unwrap().len(), 1);
    assert_eq!(page["title"], "Alignment by run");
}

#[test]
fn a_page_shows_the_translations_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let (lines, latin) =
        (write("a.en", b"the dog likes a red hat.\n\na bird\n"), write("b.en", b"a bird\n\xe9t\xe9\n"));
    let output = folder.path().join("a.html");
    let draw = |input: &Path, args: &[&str]| {
        let mut command = with_model("heatmap", args.iter().copied());
        command.arg("--input").arg(input).arg("--output").arg(&output);
        command
    };
    draw(&lines, &[]).assert().success().stderr(format!("wrote `{}`\n", output.display()));
    let page = page_data(&output);
    let pairs = page["pairs"].as_array().unwrap();
    let first = |place: usize| pairs[place]["candidates"][0]["text"].as_str().unwrap();
    let translated = stdout(with_model("translate", []).write_stdin(fs::read(&lines).unwrap()));
    assert_eq!(format!("{}\n{}\n{}\n", first(0), first(1), first(2)), translated);
    assert!(pairs[1]["candidates"][0]["words"].is_null() && page["total"] == 3, "a blank line keeps its place");
    let limited = draw(&lines, &["--html-pairs", "1"]).output().unwrap();
    let told = String::from_utf8(limited.stderr).unwrap();
    assert!(told.ends_with("it has the first 1 of 3 lines (--html-pairs)\n"), "{told}");
    assert_eq!(page_data(&output)["pairs"], serde_json::json!([pairs[0]]));

    let targets = write("a.fr", b"le chien aime un chapeau rouge.\n\nun oiseau\n");
    draw(&lines, &["--targets", targets.to_str().unwrap()]).assert().success();
    let given = page_data(&output);
    assert_eq!(given["pairs"][2]["candidates"][0]["text"], "un oiseau");
    assert_eq!(given["pairs"][0]["candidates"].as_array().unwrap().len(), 1);
    fs::remove_file(&output).unwrap();
    assert_fails(&mut draw(&latin, &[]), 1, &["b.en:2: not UTF-8"]);
    assert_fails(&mut draw(&lines, &["--source", "a"]), 2, &["--input", "--source"]);
    assert_fails(
        with_model("heatmap", ["--output", "a.svg", "--input"]).arg(&lines),
        2,
        &["--input needs --output FILE.html or a folder"],
    );
    assert_fails(
        with_model("heatmap", ["--output", "pictures.v2", "--input"]).arg(&lines),
        2,
        &["`pictures.v2` is neither", "`pictures.v2/`"],
    );
    assert_fails(with_model("heatmap", ["--input"]).arg(&lines), 2, &["--output"]);
    assert_fails(&mut with_model("heatmap", []), 2, &["--source"]);
    assert!(!output.exists());
}

#[test]
fn a_folder_gets_a_picture_for_each_line() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let source = write("a.en", "the dog likes a red hat.\n\na bird <sees> a boat.\n");
    let target = write("a.fr", "le chien aime un chapeau rouge.\nrien\nun oiseau voit un bateau.\n");
    let pictures = folder.path().join("new/pictures");
    let draw = |args: &[&str]| {
        let mut command = with_model("heatmap", args.iter().copied());
        command.arg("--input").arg(&source).arg("--output").arg(&pictures);
        command
    };
    let told = format!("wrote 2 pictures of 3 lines and `{}/index.html`\n", pictures.display());
    draw(&[]).assert().success().stdout("").stderr(told);
    let names = |folder: &Path| {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&pictures), ["000001.svg", "000003.svg", "index.html"]);
    let mut alone = with_model("heatmap", SOURCE);
    let svg = folder.path().join("alone.svg");
    alone.arg("--output").arg(&svg).assert().success();
    assert_eq!(fs::read(pictures.join("000001.svg")).unwrap(), fs::read(&svg).unwrap());
    let page = fs::read_to_string(pictures.join("index.html")).unwrap();
    assert!(page.contains("a bird &lt;sees&gt; a boat.") && page.contains(r#"src="000003.svg""#), "{page}");
    assert!(
        page.matches("<section").count() == 3 && page.contains("There is no picture"),
        "a blank line keeps its place"
    );

    assert_fails(&mut draw(&[]), 1, &["is not empty", "--overwrite"]);
    let given = ["--overwrite", "--format", "png", "--scale", "1", "--targets", target.to_str().unwrap()];
    draw(&given).assert().success();
    assert_eq!(names(&pictures), ["000001.png", "000001.svg", "000003.png", "000003.svg", "index.html"]);
    let page = fs::read_to_string(pictures.join("index.html")).unwrap();
    assert!(page.contains("un oiseau voit un bateau.") && page.contains(r#"src="000003.png""#), "{page}");

    assert_fails(&mut draw(&["--overwrite", "--html-pairs", "3"]), 2, &["--html-pairs is for a page"]);
    assert_fails(&mut draw(&["--overwrite", "--scale", "3"]), 2, &["--scale is for PNG", "--format png"]);
    let short = write("short.fr", "le chien aime un chapeau rouge.\n");
    let short = short.to_str().unwrap();
    assert_fails(&mut draw(&["--overwrite", "--targets", short]), 1, &["short.fr has 1", "pair line by line"]);
    let mut pdf = with_model("heatmap", ["--output", "a.pdf", "--input"]);
    assert_fails(pdf.arg(&source), 2, &["FILE.html or a folder", "`a.pdf` is neither"]);
    let mut page = with_model("heatmap", ["--format", "png", "--output", "a.html", "--input"]);
    assert_fails(page.arg(&source), 2, &["are for a folder"]);
}

#[test]
fn the_terminal_gets_a_drawing() {
    let plain = stdout(&mut with_model("heatmap", SOURCE));
    assert!(plain.contains("┌ likes") && !plain.contains('\x1b'), "{plain}");
    assert!(plain.lines().all(|line| line.chars().count() <= 80));
    let narrow = stdout(with_model("heatmap", SOURCE).args(["--width", "20"]));
    assert!(narrow.lines().all(|line| line.chars().count() <= 20), "{narrow}");
    assert!(narrow.lines().count() > plain.lines().count());
    let colors = stdout(with_model("heatmap", SOURCE).args(["--color", "always"]));
    assert!(colors.contains("\x1b[48;2;"));
    assert_ne!(colors, stdout(with_model("heatmap", SOURCE).args(["--color", "always", "--theme", "light"])));
}

#[test]
fn json_is_that_of_translate() {
    let json = stdout(with_model("heatmap", SOURCE).arg("--json"));
    let translated = stdout(with_model("translate", ["--json"]).write_stdin("the dog likes a red hat.\n"));
    assert_eq!(json, translated);
    let target = ["--json", "--subwords", "--target", "le chien aime un chapeau rouge."];
    let json: Value = serde_json::from_str(&stdout(with_model("heatmap", SOURCE).args(target))).unwrap();
    assert_eq!(json["translation"], "le chien aime un chapeau rouge.");
    assert_eq!(json["alignment"].as_array().unwrap().len(), json["target_tokens"].as_array().unwrap().len());
    assert!(json["log_prob"].as_f64().unwrap() < 0.0);
}

#[test]
fn scripts_without_a_font_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.png");
    // A letter of the Unicode private use area, which no font has a shape for.
    let mut command = with_model("heatmap", ["--source", "the \u{f8f0} hat.", "--output"]);
    let output = command.arg(&file).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && file.exists(), "{message}");
    assert!(
        message.starts_with("warning: no font here has") && message.contains("U+F8F0") && message.contains("--font")
    );
}

#[test]
fn what_cannot_be_drawn_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let with_output = |name: &str, args: &[&str]| {
        let mut command = with_model("heatmap", SOURCE);
        command.arg("--output").arg(folder.path().join(name)).args(args);
        command
    };
    assert_fails(&mut with_output("a.pdf", &[]), 2, &["a.pdf", ".svg, .png or .html"]);
    assert_fails(&mut with_output("a.svg", &["--scale", "2"]), 2, &["--scale is for PNG"]);
    assert_fails(&mut with_output("a.html", &["--scale", "2"]), 2, &["--scale is for PNG"]);
    assert_fails(&mut with_output("a.html", &["--font", "none.ttf"]), 2, &["--font is for SVG and PNG"]);
    assert_fails(&mut with_output("a.png", &["--scale", "0"]), 2, &["from 0.1 to 100"]);
    assert_fails(&mut with_output("a.svg", &["--font", "none.ttf"]), 1, &["cannot read the font none.ttf"]);
    assert_fails(&mut with_output("no/a.svg", &[]), 1, &["cannot write", "no/a.svg"]);
    assert_fails(&mut with_output("a.svg", &["--width", "30"]), 2, &["cannot be used with"]);
    assert_fails(&mut with_model("heatmap", ["--source", " \t"]), 2, &["--source is blank"]);
    assert_fails(with_model("heatmap", SOURCE).args(["--target", ""]), 2, &["--target is blank"]);
    assert_fails(with_model("heatmap", SOURCE).args(["--title", "x"]), 2, &["--output"]);
    assert_eq!(contents(folder.path()).len(), 0);
}

#[test]
fn a_model_without_attention_has_no_heatmap() {
    let (folder, config) = corpus();
    let run = folder.path().join("encdec");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("attention_hidden = 16\n", "")).unwrap();
    let settings = ["model.attention=none", "translation.replace_unknown=false", "training.max_epochs=1"];
    let mut train = rnnsearch(["train", "-q", "--run"]);
    train.arg(&run).arg(&config).args(settings.iter().flat_map(|setting| ["--set", setting]));
    train.assert().success();
    assert_fails(rnnsearch(["heatmap"]).arg(&run).args(SOURCE), 1, &["has no attention", "model.attention"]);
    let mut linked = rnnsearch(["translate", "--alignments", "pharaoh"]);
    assert_fails(linked.arg(&run).write_stdin("the dog\n"), 1, &["has no attention"]);
    let json = stdout(rnnsearch(["translate", "--json"]).arg(&run).write_stdin("the dog\n"));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert!(json["alignment"].is_null() && json["source_tokens"][1] == "dog", "{json}");
    assert!(FIXTURE.run.exists());
}
