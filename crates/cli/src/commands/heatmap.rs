//! `rnnsearch heatmap`

mod many;

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rnnsearch_alignment::heatmap::{self, Palette, Style, TerminalOptions, Theme};
use rnnsearch_alignment::html::{self, Matrix, Page};
use rnnsearch_alignment::{Alignment, Fonts, Segmentation};
use rnnsearch_inference::{Candidate, Forced, TranslateOptions, Translation, Translator, coverage_of};

use crate::args::{self, AlignmentForm, ColorChoice, Heatmap};
use crate::compute::require_attention;
use crate::failure::Misuse;
use crate::messages::Messages;
use crate::output::{OutputFile, print};
use crate::record::{Form, one_line, words};

/// Draws one alignment, or the page of a file's.
pub fn run(args: &Heatmap) -> Result<()> {
    match &args.input {
        Some(input) => draw_many(args, input),
        None => draw_one(args),
    }
}

fn draw_one(args: &Heatmap) -> Result<()> {
    refuse_blank("--source", args.source.as_deref())?;
    refuse_blank("--target", args.target.as_deref())?;
    let picture = args.output.as_deref().map(|path| Picture::open(path, args)).transpose()?;
    let translator = args.compute.load(&args.model, &[], args.messages)?.tagged(args.tag.as_deref())?;
    require_attention(&translator)?;
    let options = match &picture {
        Some(picture) if picture.kind == Kind::Html => many(&translator),
        _ => TranslateOptions::from(&translator.config().translation),
    };
    let translation = aligned(args, &translator, &options);
    if args.json {
        let source = &translator.vocabularies().source;
        let form = Form { source, subwords: args.subwords, alignments: AlignmentForm::Soft };
        print(&(serde_json::to_string(&form.record(&translation, false)?)? + "\n"))?;
    }
    let alignment = in_units(&translation.candidates[0], args.subwords)?;
    match picture {
        Some(picture) => picture.draw(&translation, &alignment, args),
        None if args.json => Ok(()),
        None => print(&heatmap::terminal(&alignment, &terminal_options(args))),
    }
}

/// Draws the lines of a file.
fn draw_many(args: &Heatmap, input: &Path) -> Result<()> {
    let output = args.output.as_deref().unwrap_or(Path::new(""));
    match Kind::of(output) {
        Ok(Kind::Html) => many::draw_page(args, input, output),
        _ if is_folder(output) => many::draw_folder(args, input, output),
        Ok(_) => {
            Err(Misuse("--input needs --output FILE.html or a folder: a picture is of one --source".into()).into())
        }
        Err(_) => {
            let output = output.display();
            Err(Misuse(format!("--input needs --output FILE.html or a folder: `{output}` is neither; a folder that is to be made is `{output}/`")).into())
        }
    }
}

/// Whether a path is that of a folder, which need not be there yet.
fn is_folder(path: &Path) -> bool {
    let ends_in_slash =
        path.as_os_str().as_encoded_bytes().last().is_some_and(|&byte| std::path::is_separator(byte.into()));
    path.is_dir() || ends_in_slash || path.extension().is_none()
}

/// How to translate for a page: as usual, but all that the beam found is wanted.
fn many(translator: &Translator) -> TranslateOptions {
    let mut options = TranslateOptions::from(&translator.config().translation);
    options.search.n_best = options.search.beam_size;
    options
}

fn refuse_blank(option: &str, text: Option<&str>) -> Result<()> {
    match text {
        Some(text) if text.trim().is_empty() => {
            Err(Misuse(format!("{option} is blank: there is nothing to align; give it a sentence")).into())
        }
        _ => Ok(()),
    }
}

/// The model's own translations, or the given one as the model sees it.
fn aligned(args: &Heatmap, translator: &Translator, options: &TranslateOptions) -> Translation {
    let source = args.source.as_deref().unwrap_or_default();
    let Some(target) = args.target.as_deref() else { return translator.translate(&[source], options).remove(0) };
    given(translator, options, &[(source.to_owned(), target.to_owned())]).remove(0)
}

/// Given translations as the model sees them.
fn given(translator: &Translator, options: &TranslateOptions, pairs: &[(String, String)]) -> Vec<Translation> {
    let forced = translator.force(pairs, options.batch_size);
    pairs.iter().zip(forced).map(|((source, target), forced)| read(source, target, forced, options)).collect()
}

/// A translation that was read, not found.
fn read(
    source: &str,
    target: &str,
    (forced, alignment): (Forced, Option<Alignment>),
    options: &TranslateOptions,
) -> Translation {
    let (log_prob, length) = (forced.log_prob(), forced.token_log_probs.len());
    let coverage = coverage_of(&forced.alignment);
    let score = options.search.ranking.score(log_prob, length, coverage);
    let candidate = Candidate {
        text: target.into(),
        log_prob,
        coverage,
        score,
        length,
        finished: true,
        alignment,
        ..Candidate::default()
    };
    Translation { source: source.into(), pieces: 1, candidates: vec![candidate] }
}

/// The alignment between words or sub-words.
pub fn in_units(candidate: &Candidate, subwords: bool) -> Result<Alignment> {
    let alignment = candidate.alignment.as_ref().context("there is no alignment: the text is blank")?;
    match subwords {
        true => Ok(alignment.clone()),
        false => words(alignment, Segmentation::Words)?.context("there is no alignment: the translation is empty"),
    }
}

/// The kinds of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Lines and text.
    Svg,
    /// Pixels.
    Png,
    /// A page for the browser.
    Html,
}

impl Kind {
    /// By the end of a file's name.
    pub fn of(path: &Path) -> Result<Self> {
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        match extension.as_str() {
            "svg" => Ok(Self::Svg),
            "png" => Ok(Self::Png),
            "html" | "htm" => Ok(Self::Html),
            _ => {
                let path = path.display();
                Err(Misuse(format!("`{path}`: a picture is .svg, .png or .html, by the end of its name")).into())
            }
        }
    }
}

/// A picture to be drawn, whose file and fonts are known to be good.
struct Picture {
    path: PathBuf,
    kind: Kind,
    file: OutputFile,
    fonts: Fonts,
}

impl Picture {
    fn open(path: &Path, args: &Heatmap) -> Result<Self> {
        let kind = Kind::of(path)?;
        if kind != Kind::Png && args.scale.is_some() {
            return Err(Misuse("--scale is for PNG: nothing else has pixels".into()).into());
        }
        if kind == Kind::Html && !args.fonts.is_empty() {
            return Err(Misuse("--font is for SVG and PNG: a page is shown in the fonts of the browser".into()).into());
        }
        Ok(Self { path: path.to_owned(), kind, file: OutputFile::create(path, &inputs(args))?, fonts: fonts(args)? })
    }

    /// Draws the best candidate, whose alignment is `alignment`; on a page, all of them.
    fn draw(self, translation: &Translation, alignment: &Alignment, args: &Heatmap) -> Result<()> {
        let style = Style { title: args.title.clone(), ..style(args) };
        let bytes = match self.kind {
            Kind::Svg => heatmap::svg(alignment, &style, &self.fonts).into_bytes(),
            Kind::Png => {
                let rendered = heatmap::png(alignment, &style, &self.fonts, scale(args))?;
                warn_of_missing(&rendered.missing, args.messages);
                rendered.bytes
            }
            Kind::Html => {
                let pairs = vec![shown(1, translation)?];
                written(&Page { total: 1, pairs, ..empty_page(args) })?
            }
        };
        self.finish(&bytes, args)
    }

    /// Writes the file.
    fn finish(mut self, bytes: &[u8], args: &Heatmap) -> Result<()> {
        self.file.write(bytes)?;
        self.file.finish()?;
        args.messages.note(format_args!("wrote `{}`", self.path.display()));
        Ok(())
    }
}

/// The files that are read.
fn inputs(args: &Heatmap) -> Vec<&Path> {
    args.input.iter().chain(&args.targets).chain([&args.model]).map(PathBuf::as_path).collect()
}

fn fonts(args: &Heatmap) -> Result<Fonts> {
    let load = |fonts: Fonts, path: &PathBuf| fonts.with_file(path);
    Ok(args.fonts.iter().try_fold(Fonts::shipped().with_system(), load)?)
}

/// How pictures look, but for what is written on them.
fn style(args: &Heatmap) -> Style {
    let theme = args.theme.unwrap_or(args::Theme::Light).into();
    Style { theme, palette: args.palette.into(), ..Style::default() }
}

fn scale(args: &Heatmap) -> f32 {
    args.scale.unwrap_or(2.0)
}

/// A page with all but its pairs.
fn empty_page(args: &Heatmap) -> Page {
    let title = title(args);
    let (theme, palette) = (args.theme.map(Theme::from), args.palette.into());
    Page { title, theme, palette, subwords: args.subwords, ..Page::default() }
}

/// The heading of a page.
fn title(args: &Heatmap) -> String {
    let name = args.model.file_name().unwrap_or(args.model.as_os_str()).to_string_lossy();
    args.title.clone().unwrap_or_else(|| format!("Alignment by {name}"))
}

fn written(page: &Page) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    page.write(&mut bytes)?;
    Ok(bytes)
}

/// A translation with all its candidates as the page shows it.
fn shown(number: usize, translation: &Translation) -> Result<html::Pair> {
    let candidates = translation.candidates.iter().map(candidate).collect::<Result<_>>()?;
    Ok(html::Pair { number, source: translation.source.clone(), candidates, gold: None })
}

fn candidate(candidate: &Candidate) -> Result<html::Candidate> {
    let subwords = candidate.alignment.as_ref();
    let words = subwords.map(|alignment| words(alignment, Segmentation::Words)).transpose()?.flatten();
    let matrix = |alignment: &Alignment| Matrix::new(alignment, alignment);
    Ok(html::Candidate {
        text: one_line(&candidate.text),
        log_prob: Some(candidate.log_prob),
        length: candidate.length,
        score: Some(candidate.score),
        words: words.as_ref().map(matrix),
        subwords: subwords.map(matrix),
        links: None,
    })
}

/// Names the characters that no font has.
pub fn warn_of_missing(missing: &[char], messages: Messages) {
    if missing.is_empty() {
        return;
    }
    let list: Vec<String> = missing.iter().map(|&c| format!("{c} (U+{:04X})", u32::from(c))).collect();
    messages.warning(format_args!(
        "no font here has {}: boxes stand in the picture. Name a font that has them with --font FILE, or write an SVG",
        list.join(", ")
    ));
}

fn terminal_options(args: &Heatmap) -> TerminalOptions {
    let theme = args.theme.unwrap_or(args::Theme::Dark).into();
    let width = args.width.map_or_else(terminal_width, usize::from);
    TerminalOptions { width, color: has_color(args.color), theme, palette: args.palette.into() }
}

/// What the terminal at standard output can show.
pub fn usual_terminal_options() -> TerminalOptions {
    TerminalOptions { width: terminal_width(), color: has_color(ColorChoice::Auto), ..TerminalOptions::default() }
}

/// Columns of the terminal at standard output.
pub fn terminal_width() -> usize {
    let size = terminal_size::terminal_size_of(io::stdout());
    size.map_or(TerminalOptions::default().width, |(width, _)| width.0.into())
}

/// Whether the terminal at standard output is to get colours.
pub fn has_color(choice: ColorChoice) -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => io::stdout().is_terminal() && !is_set("NO_COLOR") && !is_dumb_terminal(),
    }
}

/// Whether the terminal only prints what it is sent.
pub fn is_dumb_terminal() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

impl From<args::Theme> for Theme {
    fn from(theme: args::Theme) -> Self {
        match theme {
            args::Theme::Light => Self::Light,
            args::Theme::Dark => Self::Dark,
        }
    }
}

impl From<args::Palette> for Palette {
    fn from(palette: args::Palette) -> Self {
        match palette {
            args::Palette::Blue => Self::Blue,
            args::Palette::Grey => Self::Grey,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_tells_the_kind() {
        assert_eq!(Kind::of(Path::new("a.b/c.SVG")).unwrap(), Kind::Svg);
        assert_eq!(Kind::of(Path::new("c.png")).unwrap(), Kind::Png);
        assert_eq!(Kind::of(Path::new("c.html")).unwrap(), Kind::Html);
        for other in ["c.pdf", "svg", "c.", ".png"] {
            let error = Kind::of(Path::new(other)).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("`{other}`: a picture is .svg, .png or .html, by the end of its name")
            );
        }
    }
}
