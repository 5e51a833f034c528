//! What the tests share: a small corpus of our own, a small model trained on it once, and ways to run the program.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::LazyLock;
use std::time::Duration;

use assert_cmd::Command;
use tempfile::TempDir;

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_rnnsearch");

/// Pairs in the training and the validation corpus.
const TRAINING: usize = 300;
const VALIDATION: usize = 20;

/// English sentences with French translations, all different, in an order that mixes words.
pub fn pairs() -> Vec<(String, String)> {
    let subjects = [
        ("the cat", "le chat"),
        ("the dog", "le chien"),
        ("my brother", "mon frère"),
        ("our teacher", "notre professeur"),
        ("a bird", "un oiseau"),
    ];
    let verbs = [("sees", "voit"), ("likes", "aime"), ("finds", "trouve"), ("draws", "dessine"), ("wants", "veut")];
    let adjectives = [("red", "rouge"), ("black", "noir"), ("blue", "bleu"), ("yellow", "jaune")];
    let nouns = [("book", "livre"), ("hat", "chapeau"), ("boat", "bateau"), ("garden", "jardin")];
    let count = subjects.len() * verbs.len() * adjectives.len() * nouns.len();
    // 149 has no divisor in common with the number of sentences, so that all of them come.
    let sentence = |index: usize| {
        let index = index * 149 % count;
        let (subject, rest) = (subjects[index % 5], index / 5);
        let (verb, rest) = (verbs[rest % 5], rest / 5);
        let (adjective, noun) = (adjectives[rest % 4], nouns[rest / 4]);
        let english = format!("{} {} a {} {}.", subject.0, verb.0, adjective.0, noun.0);
        (english, format!("{} {} un {} {}.", subject.1, verb.1, noun.1, adjective.1))
    };
    (0..count).map(sentence).collect()
}

/// The English sentences that the model was not trained on.
pub fn test_sources() -> Vec<String> {
    pairs().split_off(TRAINING).into_iter().map(|(english, _)| english).collect()
}

/// Writes the corpora and a configuration into a folder; returns the configuration.
pub fn write_corpus(folder: &Path) -> PathBuf {
    let pairs = pairs();
    let write = |name: &str, pairs: &[(String, String)]| {
        let side = |text: fn(&(String, String)) -> &str| pairs.iter().map(|p| format!("{}\n", text(p))).collect();
        let (english, french): (String, String) = (side(|p| &p.0), side(|p| &p.1));
        fs::write(folder.join(format!("{name}.en")), english).unwrap();
        fs::write(folder.join(format!("{name}.fr")), french).unwrap();
    };
    write("train", &pairs[..TRAINING]);
    write("valid", &pairs[TRAINING..TRAINING + VALIDATION]);
    let config = folder.join("tiny.toml");
    fs::write(&config, CONFIG).unwrap();
    config
}

const CONFIG: &str = r#"
[data]
source_language = "en"
target_language = "fr"

[[data.train]]
source = "train.en"
target = "train.fr"

[data.validation]
source = "valid.en"
target = "valid.fr"

[tokenizer]
vocabulary = 310

[model]
embedding = 16
encoder_hidden = 16
decoder_hidden = 16
attention_hidden = 16
readout = 16
dropout.embedding = 0.1

[training]
max_epochs = 12
batch_size = 10
log_every = 10
# The same models on every processor: what so small ones learn from so little depends on every rounding.
precision = "float32"

[training.optimizer]
learning_rate = 0.01
"#;

/// What most tests need, made once and kept for later runs of the same program.
pub struct Fixture {
    /// The folder of the corpora and the configuration.
    pub folder: PathBuf,
    /// The configuration.
    pub config: PathBuf,
    /// The run folder of the trained model.
    pub run: PathBuf,
}

pub static FIXTURE: LazyLock<Fixture> = LazyLock::new(|| {
    let built = fs::metadata(PROGRAM).unwrap().modified().unwrap();
    let age = built.duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rnnsearch-cli");
    fs::create_dir_all(&all).unwrap();
    // Test runners may use one process for all tests, or one for each.
    let lock = File::create(all.join("lock")).unwrap();
    lock.lock().unwrap();
    let folder = all.join(age.to_string());
    let fixture = Fixture { config: folder.join("tiny.toml"), run: folder.join("run"), folder };
    if !fixture.folder.join("done").exists() {
        fixture.make(&all);
    }
    fixture
});

impl Fixture {
    /// Makes it, and takes away those of older programs.
    fn make(&self, all: &Path) {
        for entry in fs::read_dir(all).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
            fs::remove_dir_all(entry).unwrap();
        }
        fs::create_dir_all(&self.folder).unwrap();
        write_corpus(&self.folder);
        rnnsearch(["train", "-q"]).arg(&self.config).arg("--run").arg(&self.run).assert().success();
        fs::write(self.folder.join("done"), "").unwrap();
    }

    /// The model as one file's bytes.
    pub fn model(&self) -> Vec<u8> {
        fs::read(self.run.join("model.safetensors")).unwrap()
    }
}

/// A folder for what a static holds: nothing drops those, so it goes with the fixture.
pub fn lasting_folder() -> TempDir {
    tempfile::tempdir_in(&FIXTURE.folder).unwrap()
}

/// The program with some arguments, in an environment that tells it nothing.
pub fn rnnsearch<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(args).env_remove("NO_COLOR").env_remove("COLUMNS").timeout(Duration::from_secs(120));
    command
}

/// A command on the trained model.
pub fn with_model<'a>(command: &str, args: impl IntoIterator<Item = &'a str>) -> Command {
    let mut with_model = rnnsearch([command]);
    with_model.arg(&FIXTURE.run).args(args);
    with_model
}

/// Standard output of a command that succeeds.
pub fn stdout(command: &mut Command) -> String {
    String::from_utf8(command.assert().success().get_output().stdout.clone()).unwrap()
}

/// Checks that a command fails with a code, nothing on standard output, and a message that says certain things.
pub fn assert_fails(command: &mut Command, code: i32, says: &[&str]) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.stdout, b"", "standard output is for results");
    assert_failed(&output, code, says)
}

/// As [`assert_fails`], for a command that may have had results before it failed.
pub fn assert_failed(output: &Output, code: i32, says: &[&str]) -> String {
    let message = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{message}");
    assert!(message.starts_with("error: ") || message.contains("\nerror: "), "{message}");
    assert!(!message.contains("panicked"), "{message}");
    for part in says {
        assert!(message.contains(part), "expected `{part}` in: {message}");
    }
    message
}

/// The data of a page for the browser.
pub fn page_data(file: &Path) -> serde_json::Value {
    let html = fs::read_to_string(file).unwrap();
    let (_, data) = html.split_once(r#"<script type="application/json" id="data">"#).unwrap();
    serde_json::from_str(data.split_once("</script>").unwrap().0).unwrap()
}

/// All files below a folder with their contents.
pub fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            files.insert(entry.clone(), Vec::new());
            files.extend(contents(&entry));
        } else {
            files.insert(entry.clone(), fs::read(&entry).unwrap());
        }
    }
    files
}

/// A folder of a test's own, with the corpora and the configuration.
pub fn corpus() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let config = write_corpus(folder.path());
    (folder, config)
}
