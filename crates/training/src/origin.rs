//! The model that a training begins with, where it is not drawn at random.

use std::collections::BTreeMap;

use burn::prelude::*;
use rnnsearch_config::{Config, DropoutConfig, ModelConfig};
use rnnsearch_corpus::Vocabularies;
use rnnsearch_decoder::{ModelSettings, RnnSearch, Values, load_parameters, parameters};
use rnnsearch_inference::Model;
use serde_json::Value;

use crate::TrainingError;

/// The model that the settings begin with, if they do.
///
/// # Errors
///
/// If it cannot be read, or has another shape or other tokenizers than the settings say.
pub(crate) fn origin(config: &Config) -> Result<Option<Model>, TrainingError> {
    let Some(path) = &config.training.from else { return Ok(None) };
    let model = Model::load(path)?;
    match first_difference("", &shape(config), &shape(&model.config)) {
        None => Ok(Some(model)),
        Some((key, given, found)) => Err(TrainingError::OtherModel { model: path.clone(), key, given, found }),
    }
}

/// The network before the first update: drawn, or that of the model to begin with. Where the vocabularies have grown from those of that
/// model, what belongs to a new token is the mean of what belonged to those in its place.
///
/// # Errors
///
/// Those of [`origin`].
pub(crate) fn first_network(
    settings: &ModelSettings,
    config: &Config,
    vocabularies: &Vocabularies,
    device: &Device,
) -> Result<RnnSearch, TrainingError> {
    let drawn = RnnSearch::new(settings, config.training.seed, device);
    let Some(model) = origin(config)? else { return Ok(drawn) };
    let made_of =
        [(&vocabularies.source, &model.vocabularies.source), (&vocabularies.target, &model.vocabularies.target)]
            .map(|(grown, known)| grown.made_of(known));
    if made_of.iter().all(Vec::is_empty) {
        return Ok(model.network(device));
    }
    let mut known = parameters(&model.network(device));
    let mut grown = BTreeMap::new();
    for (name, drawn) in parameters(&drawn) {
        let known = known.remove(&name).expect("the models are of one shape");
        let values = if known.0 == drawn.0 {
            known
        } else {
            let made_of = &made_of[usize::from(name != "source_embedding")];
            // Rows of an embedding table or a bias, columns of the output layer.
            let (outer, inner) = match (name.as_str(), drawn.0.as_slice()) {
                ("output.weight", [rows, _]) => (*rows, 1),
                (_, [_, width]) => (1, *width),
                _ => (1, 1),
            };
            grow(known, drawn, made_of, outer, inner)
        };
        grown.insert(name, values);
    }
    Ok(load_parameters(RnnSearch::blank(settings, device), grown).expect("the names are those of the model"))
}

/// A parameter `[outer, tokens, inner]` for more tokens than it is known for; what nothing is known of is as it was drawn.
fn grow(known: Values, drawn: Values, made_of: &[Vec<u32>], outer: usize, inner: usize) -> Values {
    let (shape, mut values) = drawn;
    let [before, after] = [known.1.len(), values.len()].map(|size| size / (outer * inner));
    for row in 0..outer {
        let known = &known.1[row * before * inner..][..before * inner];
        let values = &mut values[row * after * inner..][..after * inner];
        values[..before * inner].copy_from_slice(known);
        for (new, parts) in
            values[before * inner..].chunks_exact_mut(inner).zip(made_of).filter(|(_, parts)| !parts.is_empty())
        {
            for (place, value) in new.iter_mut().enumerate() {
                let sum: f32 = parts.iter().map(|&part| known[part as usize * inner + place]).sum();
                *value = sum / parts.len() as f32;
            }
        }
    }
    (shape, values)
}

/// The settings that two models must share, so that one can go on where the other is.
fn shape(config: &Config) -> Value {
    let (dropout, initialization) = (DropoutConfig::default(), ModelConfig::default().initialization);
    let model = ModelConfig { dropout, initialization, ..config.model.clone() };
    serde_json::json!({ "model": model, "tokenizer": config.tokenizer })
}

/// The first key whose values differ, with these.
fn first_difference(path: &str, a: &Value, b: &Value) -> Option<(String, String, String)> {
    match (a, b) {
        (Value::Object(fields), Value::Object(others)) => {
            let keys = fields.keys().chain(others.keys().filter(|key| !fields.contains_key(*key)));
            let below = |key: &String| if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            keys.into_iter().find_map(|key| first_difference(&below(key), &a[key], &b[key]))
        }
        _ if a == b => None,
        _ => Some((path.into(), shown(a), shown(b))),
    }
}

fn shown(value: &Value) -> String {
    if value.is_null() { "not set".into() } else { value.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_tokens_are_the_mean_of_what_stood_in_their_place() {
        // Two tokens of three numbers each; then one made of both, one of nothing, one of the second.
        let known = (vec![2, 3], vec![1.0, 2.0, 3.0, 5.0, 6.0, 7.0]);
        let drawn = (vec![5, 3], vec![9.0; 15]);
        let made_of = [vec![0, 1], vec![], vec![1]];
        let (shape, values) = grow(known, drawn, &made_of, 1, 3);
        assert_eq!(shape, [5, 3]);
        assert_eq!(values[..6], [1.0, 2.0, 3.0, 5.0, 6.0, 7.0]);
        assert_eq!(values[6..], [3.0, 4.0, 5.0, 9.0, 9.0, 9.0, 5.0, 6.0, 7.0]);
        // The same as columns, of two rows.
        let (known, drawn) = ((vec![2, 2], vec![1.0, 3.0, 10.0, 30.0]), (vec![2, 5], vec![0.0; 10]));
        let (_, values) = grow(known, drawn, &made_of, 2, 1);
        assert_eq!(values, [1.0, 3.0, 2.0, 0.0, 3.0, 10.0, 30.0, 20.0, 0.0, 30.0]);
    }
}
