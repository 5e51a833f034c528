//! Parameters by name, as model files hold them.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::prelude::*;
use burn::tensor::{Gradients, TensorData};
use rnnsearch_config::{ModelConfig, Part};

use crate::{ModelSettings, RnnSearch};

/// A parameter's shape and values, row by row.
pub type Values = (Vec<usize>, Vec<f32>);

/// Parameters that do not fit the model they are meant for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeMismatch {
    /// The parameter.
    pub name: String,
    /// The shape the model has, if it has such a parameter.
    pub expected: Option<Vec<usize>>,
    /// The shape given, if one was.
    pub given: Option<Vec<usize>>,
}

impl std::fmt::Display for ShapeMismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = &self.name;
        match (&self.expected, &self.given) {
            (Some(expected), Some(given)) => {
                write!(f, "parameter `{name}` has shape {given:?}, the configuration says {expected:?}")
            }
            (Some(expected), None) => write!(f, "parameter `{name}` {expected:?} is missing"),
            _ => write!(f, "parameter `{name}` has no place in the model that the configuration describes"),
        }
    }
}

impl std::error::Error for ShapeMismatch {}

/// All parameters of a model by name.
pub fn parameters(model: &RnnSearch) -> BTreeMap<String, Values> {
    collect(model, true)
}

/// The gradient of a parameter.
#[derive(Clone, Debug)]
pub enum Gradient {
    /// Of all its elements, flattened.
    Dense(Tensor<1>),
    /// Of those rows of an embedding table that were looked up; it is 0 in all others.
    Rows {
        /// The rows, in ascending order.
        rows: Vec<usize>,
        /// Their gradients, `[rows.len(), m]`.
        values: Tensor<2>,
    },
}

/// The gradients that a backward pass has left for parameters themselves.
pub(crate) fn dense_gradients(model: &RnnSearch, tape: &mut Gradients) -> BTreeMap<String, Gradient> {
    let mut collector = GradientCollector { path: Vec::new(), tape, gradients: BTreeMap::new() };
    model.visit(&mut collector);
    collector.gradients
}

/// Whether a parameter belongs to a part of a model; a table that is shared belongs to all parts that use it.
pub fn belongs(name: &str, part: Part, config: &ModelConfig) -> bool {
    let first = name.split('.').next().unwrap_or(name);
    let target_table = if config.share_embeddings { "source_embedding" } else { "target_embedding" };
    match part {
        Part::SourceEmbedding => first == "source_embedding",
        Part::TargetEmbedding => first == target_table,
        Part::Encoder => first == "encoder",
        Part::Attention => first == "attention",
        Part::Decoder => ["bridge", "decoder"].contains(&first),
        Part::Readout => first == "readout",
        Part::Output => first == "output" || (config.tie_output && first == target_table),
    }
}

/// The model with its parameters replaced by those given.
///
/// # Errors
///
/// If a parameter is missing, of another shape, or not one of the model's.
pub fn load_parameters(model: RnnSearch, parameters: BTreeMap<String, Values>) -> Result<RnnSearch, ShapeMismatch> {
    let mut loader = Loader { path: Vec::new(), parameters, mismatch: None };
    let model = model.map(&mut loader);
    let unused = loader.parameters.pop_first();
    let unused = unused.map(|(name, (shape, _))| ShapeMismatch { name, expected: None, given: Some(shape) });
    match loader.mismatch.or(unused) {
        Some(mismatch) => Err(mismatch),
        None => Ok(model),
    }
}

/// Checks the shapes of parameters against those that a model of these settings has.
///
/// # Errors
///
/// If a parameter is missing, of another shape, or not one of the model's.
pub fn check_shapes(settings: &ModelSettings, mut given: BTreeMap<String, Vec<usize>>) -> Result<(), ShapeMismatch> {
    for (name, (shape, _)) in collect(&RnnSearch::blank(settings, &Device::flex()), false) {
        let given = given.remove(&name);
        if given.as_ref() != Some(&shape) {
            return Err(ShapeMismatch { name, expected: Some(shape), given });
        }
    }
    match given.pop_first() {
        Some((name, shape)) => Err(ShapeMismatch { name, expected: None, given: Some(shape) }),
        None => Ok(()),
    }
}

/// The name of the parameter at a path of fields: layers are numbered, and a unit inside a layer is not named.
pub fn parameter_name(path: &[String]) -> String {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["encoder", "layers", rest @ ..] => format!("encoder.{}", rest.join(".")),
        ["decoder", "gru", field] => format!("decoder.0.{field}"),
        ["decoder", rest @ ..] => format!("decoder.0.{}", rest.join(".")),
        // A model has one kind of attention: it is not named again.
        ["attention", _kind, rest @ ..] => format!("attention.{}", rest.join(".")),
        ["upper", layer, field] => {
            let layer = layer.parse::<usize>().map_or_else(|_| layer.to_string(), |l| (l + 1).to_string());
            format!("decoder.{layer}.{field}")
        }
        ["output_weight"] => "output.weight".into(),
        ["output_bias"] => "output.bias".into(),
        path => path.join("."),
    }
}

/// The parameters of a model by name; without their values, if these are not wanted.
fn collect(model: &RnnSearch, with_values: bool) -> BTreeMap<String, Values> {
    let mut collector = Collector { path: Vec::new(), with_values, parameters: BTreeMap::new() };
    model.visit(&mut collector);
    collector.parameters
}

struct Collector {
    path: Vec<String>,
    with_values: bool,
    parameters: BTreeMap<String, Values>,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let read = || param.val().try_into_vec_as::<f32>().expect("parameters are float tensors that can be read");
        let values = if self.with_values { read() } else { Vec::new() };
        self.parameters.insert(parameter_name(&self.path), (param.lazy_shape().to_vec(), values));
    }
}

struct GradientCollector<'a> {
    path: Vec<String>,
    tape: &'a mut Gradients,
    gradients: BTreeMap<String, Gradient>,
}

impl ModuleVisitor for GradientCollector<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad_remove(self.tape) {
            let size = gradient.shape().num_elements();
            self.gradients.insert(parameter_name(&self.path), Gradient::Dense(gradient.reshape([size])));
        }
    }
}

struct Loader {
    path: Vec<String>,
    parameters: BTreeMap<String, Values>,
    mismatch: Option<ShapeMismatch>,
}

impl ModuleMapper for Loader {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = parameter_name(&self.path);
        let expected = param.val().dims().to_vec();
        match self.parameters.remove(&name) {
            Some((shape, values)) if shape == expected => {
                let device = param.val().device();
                param.map(|old| {
                    let new = Tensor::from_data(TensorData::new(values, shape), &device);
                    new.set_require_grad(old.is_require_grad())
                })
            }
            given => {
                let given = given.map(|(shape, _)| shape);
                self.mismatch.get_or_insert(ShapeMismatch { name, expected: Some(expected), given });
                param
            }
        }
    }
}
