//! Models that are not what they should be.

use std::fs;

use crate::common::{FIXTURE, assert_fails, rnnsearch};

/// What `info` says of these bytes, and that every command says it.
fn refused(bytes: &[u8], says: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.safetensors");
    fs::write(&file, bytes).unwrap();
    let says: Vec<&str> = ["model.safetensors"].into_iter().chain(says.iter().copied()).collect();
    let message = assert_fails(rnnsearch(["info"]).arg(&file), 1, &says);
    // A folder that holds it is as bad as the file itself.
    assert_fails(rnnsearch(["translate"]).arg(folder.path()).write_stdin("the dog\n"), 1, &says);
    let exported = folder.path().join("exported");
    assert_eq!(assert_fails(rnnsearch(["export"]).arg(&file).arg(&exported), 1, &says), message);
    assert!(!exported.exists());
}

#[test]
fn truncated_models_are_refused() {
    let model = FIXTURE.model();
    for length in [0, 4, 8, 100, model.len() / 2, model.len() - 1] {
        refused(&model[..length], &["is damaged", "copy it again"]);
    }
    let longer: Vec<u8> = model.iter().copied().chain([0]).collect();
    refused(&longer, &["is damaged"]);
}

#[test]
fn flipped_bits_are_noticed() {
    let model = FIXTURE.model();
    let header = u64::from_le_bytes(model[..8].try_into().unwrap()) as usize;
    // In the length of the header, in its configuration, in the first and last weights.
    let configuration = find(&model, b"label_smoothing = 0.1").unwrap() + 20;
    for place in [2, configuration, 8 + header, model.len() - 1] {
        let mut flipped = model.clone();
        flipped[place] ^= 2;
        refused(&flipped, &["is damaged"]);
    }
}

#[test]
fn newer_formats_are_not_guessed_at() {
    let mut model = FIXTURE.model();
    let place = find(&model, br#"\"format\":1"#).unwrap() + br#"\"format\":"#.len();
    model[place] = b'7';
    refused(&model, &["has format 7", "reads up to 2", "use a newer rnnsearch"]);
}

#[test]
fn other_files_are_no_models() {
    refused(b"the dog likes a red hat.\nthe dog likes a red hat.\n", &["is damaged"]);
    let header = br#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let tensors = [&(header.len() as u64).to_le_bytes()[..], header, &[0; 4]].concat();
    refused(&tensors, &["is no rnnsearch model", "rnnsearch train"]);
}

#[test]
fn missing_models_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let none = folder.path().join("none.safetensors");
    assert_fails(rnnsearch(["info"]).arg(&none), 1, &["none.safetensors", "No such file"]);
    assert_fails(rnnsearch(["info"]).arg(folder.path()), 1, &["holds no model.safetensors"]);
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
