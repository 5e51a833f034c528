//! The decoder, and with it the whole model.
//!
//! Bahdanau et al. (2015), sections 3.1 and A.2.2. At every step the decoder looks at the annotations with its previous
//! state (`attention`), takes in the last word and what it saw, and says what the next word may be (`readout`):
//!
//! ```text
//! s_0 = tanh(W_s h←_1 + b_s)
//! c_i = Σ_j α_ij h_j                            attention, queried with s_{i-1}
//! s_i = GRU(s_{i-1}; [E y_{i-1} ; c_i])
//! t_i = maxout(U_o s_i + V_o E y_{i-1} + C_o c_i + b)
//! p(y_i) = softmax(W_o t_i + b_o)
//! ```
//!
//! The main text's g(y_{i-1}, s_i, c_i) reads the *new* state; the appendix prints s_{i-1} there. We follow the main text.
//!
//! Attention comes in other kinds, the recurrent layer in another form (`recurrent`), and the readout can be fed back; docs/attention.md
//! explains them.

mod attention;
mod embedding;
mod model;
mod names;
mod objective;
mod readout;
mod recurrent;
mod reinforce;

pub use embedding::Loss;
pub use model::{Batch, DecoderState, ModelSettings, RnnSearch, Source, Step};
pub use names::{Gradient, ShapeMismatch, Values, belongs, check_shapes, load_parameters, parameter_name, parameters};
pub use objective::{AlignmentTerms, Objective};
