//! What lines must go through before and after they are translated: glossaries, protected pieces, markup.

use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result};
use rnnsearch_inference::{Demand, Glossary, Markup, Protect, Request, TranslateOptions, Translation, Translator};

use crate::args;
use crate::compute::require_attention;
use crate::failure::Misuse;

/// What was asked for all lines.
pub struct Control<'a> {
    translator: &'a Translator,
    options: &'a TranslateOptions,
    glossary: Option<Glossary>,
    protect: Option<Protect>,
    markup: bool,
}

/// What is put back into the translation of a line.
#[derive(Default)]
pub struct Kept {
    source: String,
    /// The text that is translated, and what comes back as it is.
    text: String,
    pieces: Vec<Range<usize>>,
    markup: Option<Markup>,
}

impl<'a> Control<'a> {
    /// Reads the glossary, and checks that the model can do what is asked.
    pub fn new(args: &args::Control, translator: &'a Translator, options: &'a TranslateOptions) -> Result<Self> {
        let glossary = args.glossary.as_deref().map(|path| glossary(path, translator, options)).transpose()?;
        let protects = args.protect || !args.patterns.is_empty();
        let protect = protects.then(|| Protect::usual_and(args.patterns.clone()));
        if protects || args.markup.is_some() {
            require_attention(translator)?;
        }
        let beam_size = options.search.beam_size.max(options.search.n_best);
        if let Some(diversity) = options.search.diversity.filter(|diversity| diversity.groups > beam_size) {
            let groups = diversity.groups;
            return Err(Misuse(format!("--diverse-groups {groups} are more than --beam {beam_size} has places")).into());
        }
        Ok(Self { translator, options, glossary, protect, markup: args.markup.is_some() })
    }

    /// Makes a request ready to be translated; what is to be put back afterwards is returned.
    pub fn prepare(&self, request: &mut Request) -> Result<Kept> {
        let source = request.text.clone();
        let markup = self.markup.then(|| Markup::parse(&source));
        if let Some(markup) = &markup {
            request.text.clone_from(&markup.text);
        }
        let pieces = self.protect.as_ref().map(|protect| protect.find(&request.text)).unwrap_or_default();
        if let Some(glossary) = &self.glossary {
            let is_free =
                |demand: &Demand| !pieces.iter().any(|piece| demand.place.is_some_and(|at| piece.contains(&at)));
            let demands = glossary.demands(&request.text).into_iter().filter(is_free).collect();
            require_also(&mut request.required, demands);
        }
        self.translator.check(request, self.options)?;
        Ok(Kept { source, text: request.text.clone(), pieces, markup })
    }
}

impl Kept {
    /// Puts back what was kept.
    pub fn restore(&self, translation: &mut Translation) {
        for candidate in &mut translation.candidates {
            Protect::restore(&self.text, &self.pieces, candidate);
            if let Some(markup) = &self.markup {
                markup.restore(candidate);
            }
        }
        translation.source.clone_from(&self.source);
    }
}

/// Adds demands of a glossary to those of the user, each of which stands for one of the glossary that it has a phrase in common with
/// and comes in its place.
fn require_also(required: &mut Vec<Demand>, mut glossary: Vec<Demand>) {
    let is_same = |a: &String, b: &String| a.split_ascii_whitespace().eq(b.split_ascii_whitespace());
    for demand in required.iter_mut() {
        let overlaps =
            |other: &Demand| other.alternatives.iter().any(|a| demand.alternatives.iter().any(|b| is_same(a, b)));
        if let Some(twin) = glossary.iter().position(overlaps) {
            demand.place = demand.place.or(glossary.remove(twin).place);
        }
    }
    required.extend(glossary);
}

/// Reads a glossary whose translations the model can write.
fn glossary(path: &Path, translator: &Translator, options: &TranslateOptions) -> Result<Glossary> {
    let glossary = Glossary::open(path)?;
    for (line, demand) in glossary.translations() {
        let request = Request { required: vec![demand], ..Request::from("any text") };
        translator.check(&request, options).with_context(|| format!("{}:{line}", path.display()))?;
    }
    Ok(glossary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_user_requires_is_not_required_again() {
        let demand = |alternatives: &[&str], place| {
            let alternatives = alternatives.iter().map(|&phrase| phrase.to_owned()).collect();
            Demand { alternatives, place }
        };
        let mut required = vec![demand(&["un  chat"], None), demand(&["chien"], None)];
        let cats = |place| demand(&["matou", "un chat"], Some(place));
        require_also(&mut required, vec![demand(&["rouge"], Some(0)), cats(4), cats(9)]);
        let expected = [demand(&["un  chat"], Some(4)), demand(&["chien"], None), demand(&["rouge"], Some(0)), cats(9)];
        assert_eq!(format!("{required:?}"), format!("{expected:?}"));
    }
}
