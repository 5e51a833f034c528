//! `translate` and others in pipes: at once, in order, and quiet when nobody reads.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{FIXTURE, PROGRAM, assert_failed, contents, rnnsearch, with_model};

fn spawn(args: &[&str]) -> Child {
    let mut command = Command::new(PROGRAM);
    command.arg(args[0]).arg(&FIXTURE.run).args(&args[1..]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Writes lines to a running program, each when the one before is answered.
fn converse(child: &mut Child, mut output: impl BufRead) {
    let mut input = child.stdin.take().unwrap();
    for line in ["the dog likes a red hat.\n", "\n", "the cat sees a blue boat.\n"] {
        input.write_all(line.as_bytes()).unwrap();
        let mut answer = String::new();
        output.read_line(&mut answer).unwrap();
        assert_eq!(answer == "\n", line == "\n", "{line}: {answer}");
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_line_is_answered_before_the_next_one_comes() {
    for flush in ["line", "batch"] {
        let mut child = spawn(&["translate", "--flush", flush]);
        let output = BufReader::new(child.stdout.take().unwrap());
        converse(&mut child, output);
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_with_a_name_is_answered_too() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut child = spawn(&["translate", "--output", pipe.to_str().unwrap()]);
    let output = BufReader::new(File::open(&pipe).unwrap());
    converse(&mut child, output);
}

/// Through a socket of datagrams every write arrives by itself.
#[cfg(unix)]
#[test]
fn lines_that_have_come_are_handed_on_one_by_one_or_together() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in");
    fs::write(&input, "the dog likes a red hat.\n".repeat(30)).unwrap();
    let writes = |flush: &str| {
        let (ours, theirs) = std::os::unix::net::UnixDatagram::pair().unwrap();
        let mut command = Command::new(PROGRAM);
        command.args(["translate", "--flush", flush]).arg(&FIXTURE.run).arg(&input);
        let mut child = command.stdout(Stdio::from(std::os::fd::OwnedFd::from(theirs))).spawn().unwrap();
        let (mut buffer, mut writes, mut lines) = (vec![0; 1 << 16], 0, 0);
        while lines < 30 {
            let size = ours.recv(&mut buffer).unwrap();
            lines += buffer[..size].iter().filter(|&&byte| byte == b'\n').count();
            writes += 1;
        }
        assert!(child.wait().unwrap().success());
        writes
    };
    assert_eq!(writes("line"), 30);
    assert!(writes("batch") < 30);
}

#[test]
fn a_closed_pipe_is_quiet() {
    let mut child = spawn(&["translate", "--batch", "1", "--beam", "1"]);
    let mut input = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        // The program closes its end some time.
        let _ = (0..20_000).try_for_each(|_| input.write_all(b"the dog likes a red hat.\n"));
    });
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(0), String::new()));
    assert!(first.len() > 1);

    for command in [["config", "default"], ["completions", "bash"]] {
        let mut child =
            Command::new(PROGRAM).args(command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_standard_output_is_an_error() {
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let commands: [&[&str]; 4] = [
        &["config", "default"],
        &["completions", "zsh"],
        &["info", "RUN"],
        &["heatmap", "RUN", "--source", "the dog likes a red hat."],
    ];
    for command in commands {
        let run = FIXTURE.run.to_str().unwrap();
        let args = command.iter().map(|arg| if *arg == "RUN" { run } else { arg });
        let output = Command::new(PROGRAM).args(args).stdout(full()).output().unwrap();
        assert_failed(&output, 1, &["cannot write to standard output: No space left on device"]);
    }
    let mut child = Command::new(PROGRAM);
    child.arg("translate").arg(&FIXTURE.run).stdin(Stdio::piped()).stdout(full()).stderr(Stdio::piped());
    let mut child = child.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"the dog\n").unwrap();
    assert_failed(&child.wait_with_output().unwrap(), 1, &["No space left on device"]);
}

/// Files cannot grow over a kilobyte, which fails as a full disk does.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_harms_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("model.safetensors");
    fs::write(&target, "mine").unwrap();
    let limited = |arguments: &str| {
        let command = format!("trap '' XFSZ; ulimit -f 1; exec \"$PROGRAM\" {arguments}");
        let mut shell = Command::new("sh");
        shell.args(["-c", &command]).env("PROGRAM", PROGRAM).env("RUN", &FIXTURE.run).env("TARGET", &target);
        shell.env("CONFIG", &FIXTURE.config).env("NEW", folder.path().join("runs/new"));
        shell.output().unwrap()
    };
    let before = contents(folder.path());
    let source = "--source \"$(yes the dog likes a red hat | head -50)\"";
    let commands = [
        "export \"$RUN\" \"$TARGET\" --overwrite".to_owned(),
        format!("heatmap \"$RUN\" {source} --output \"$TARGET.svg\""),
        "train \"$CONFIG\" --run \"$NEW\"".to_owned(),
    ];
    for command in commands {
        assert_failed(&limited(&command), 1, &["cannot write", "File too large"]);
        assert_eq!(contents(folder.path()), before, "{command}");
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_stream_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out");
    let mut child = spawn(&["translate", "--output", output.to_str().unwrap()]);
    let waiting = Instant::now();
    while fs::read_dir(folder.path()).unwrap().count() == 0 {
        assert!(waiting.elapsed() < Duration::from_secs(60), "no temporary file appears");
        std::thread::sleep(Duration::from_millis(10));
    }
    // As Ctrl-C does; but SIGINT may be ignored, if the tests were started in the background.
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn quiet_and_verbose() {
    let run = |option: &str| {
        let mut command = with_model("translate", [option]);
        let output = command.write_stdin("the dog\n").output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(run("--quiet"), "");
    let told = run("-v");
    assert!(told.contains("device cpu") && told.contains("threads: ") && told.contains("1 lines in"), "{told}");
    let mut command = with_model("translate", ["-v", "--threads", "1", "--device", "ndarray"]);
    let output = command.write_stdin("the dog\n").output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("device ndarray") && told.contains("threads: 1\n"), "{told}");
    rnnsearch(["translate"]).arg("none").write_stdin("").assert().code(1);
}
