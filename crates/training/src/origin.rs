//! The model that a training begins with, where it is not drawn at random.

use rnnsearch_config::{Config, DropoutConfig, ModelConfig};
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
