//! Alignments of the lines of a file: a page of them all, or a folder with a picture for each.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rnnsearch_alignment::html::{Gallery, Page};
use rnnsearch_alignment::{Alignment, AlignmentError, Fonts, Segmentation, heatmap};
use rnnsearch_config::CorpusConfig;
use rnnsearch_corpus::{Lines, Pairs};
use rnnsearch_inference::{TranslateOptions, Translation, Translator};

use super::{Picture, empty_page, fonts, given, inputs, many, scale, shown, style, title, warn_of_missing, written};
use crate::args::{Heatmap, PictureFormat};
use crate::compute::require_attention;
use crate::failure::Misuse;
use crate::output::OutputFile;
use crate::progress::Counter;
use crate::record::{one_line, words};

/// Writes the page of the first lines.
pub fn draw_page(args: &Heatmap, input: &Path, output: &Path) -> Result<()> {
    const USUAL: usize = 1000;
    if args.format.is_some() || args.overwrite {
        return Err(Misuse("--format and --overwrite are for a folder of pictures, not for a page".into()).into());
    }
    let mut lines = Input::open(input, args.targets.as_deref())?;
    let picture = Picture::open(output, args)?;
    let translator = args.compute.load(&args.model, &[], args.messages)?.tagged(args.tag.as_deref())?;
    require_attention(&translator)?;
    let options = many(&translator);
    let most = args.html_pairs.map_or(USUAL, usize::from);
    let first = lines.by_ref().take(most).collect::<Result<Vec<Line>>>()?;
    let counter = Counter::new(Some(first.len()), !args.messages.quiet);
    let mut page = Page { total: first.len(), ..empty_page(args) };
    for window in first.chunks(8 * options.batch_size) {
        for translation in translations(&translator, &options, window) {
            page.pairs.push(shown(page.pairs.len() + 1, &translation)?);
        }
        counter.add(window.len());
    }
    counter.finish();
    for line in lines {
        line?;
        page.total += 1;
    }
    picture.finish(&written(&page)?, args)?;
    if page.pairs.len() < page.total {
        let (shown, total) = (page.pairs.len(), page.total);
        args.messages.note(format_args!("it has the first {shown} of {total} lines (--html-pairs)"));
    }
    Ok(())
}

/// Writes a picture for each line into a folder, and a page that shows them.
pub fn draw_folder(args: &Heatmap, input: &Path, output: &Path) -> Result<()> {
    let mut lines = Input::open(input, args.targets.as_deref())?;
    check_folder(args, output)?;
    let fonts = fonts(args)?;
    let translator = args.compute.load(&args.model, &[], args.messages)?.tagged(args.tag.as_deref())?;
    require_attention(&translator)?;
    let options = TranslateOptions::from(&translator.config().translation);
    let mut folder = Folder::create(args, output, &fonts)?;
    let counter = Counter::new(None, !args.messages.quiet);
    loop {
        let window = lines.by_ref().take(8 * options.batch_size).collect::<Result<Vec<Line>>>()?;
        if window.is_empty() {
            break;
        }
        for translation in translations(&translator, &options, &window) {
            counter.above(|| folder.add(&translation))?;
        }
        counter.add(window.len());
    }
    counter.finish();
    folder.finish()
}

/// Fails if the options do not fit a folder, or it has files already that are not to be replaced.
fn check_folder(args: &Heatmap, folder: &Path) -> Result<()> {
    let misuse = |text: &str| Err(Misuse(text.into()).into());
    if args.html_pairs.is_some() {
        return misuse("--html-pairs is for a page: a folder gets a picture for each line");
    }
    if args.scale.is_some() && args.format != Some(PictureFormat::Png) {
        return misuse("--scale is for PNG: nothing else has pixels; add --format png");
    }
    let name = folder.display();
    let is_empty = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) => return Err(error).with_context(|| format!("cannot write into `{name}`")),
    };
    if !is_empty && !args.overwrite {
        let text =
            format!("folder `{name}` is not empty: use --overwrite to replace its pictures, or another --output");
        return Err(anyhow::Error::msg(text));
    }
    Ok(())
}

/// A source, and its target if it is given.
type Line = (String, Option<String>);

/// The lines of one file, or of two.
enum Input {
    Sources(Lines),
    Pairs(Pairs),
}

impl Input {
    fn open(sources: &Path, targets: Option<&Path>) -> Result<Self> {
        let Some(targets) = targets else { return Ok(Self::Sources(Lines::open(sources)?)) };
        let (source, target) = (Some(sources.to_owned()), Some(targets.to_owned()));
        Ok(Self::Pairs(Pairs::open(&[CorpusConfig { source, target, ..CorpusConfig::default() }])?))
    }
}

impl Iterator for Input {
    type Item = Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Sources(lines) => lines.next().map(|line| Ok((line?, None))),
            Self::Pairs(pairs) => {
                pairs.next().map(|pair| pair.map(|pair| (pair.source, Some(pair.target))).map_err(Into::into))
            }
        }
    }
}

/// The model's own translations, or the given ones as it sees them. All lines have a target, or none.
fn translations(translator: &Translator, options: &TranslateOptions, lines: &[Line]) -> Vec<Translation> {
    let pairs: Option<Vec<(String, String)>> = lines.iter().cloned().map(|(s, t)| Some((s, t?))).collect();
    match pairs {
        Some(pairs) => given(translator, options, &pairs),
        None => {
            let sources: Vec<&str> = lines.iter().map(|(source, _)| source.as_str()).collect();
            translator.translate(&sources, options)
        }
    }
}

/// A folder that is being filled. Its page comes last.
struct Folder<'a> {
    args: &'a Heatmap,
    path: PathBuf,
    fonts: &'a Fonts,
    gallery: Gallery<OutputFile>,
    lines: usize,
    pictures: usize,
    missing: BTreeSet<char>,
}

impl<'a> Folder<'a> {
    fn create(args: &'a Heatmap, path: &Path, fonts: &'a Fonts) -> Result<Self> {
        fs::create_dir_all(path).with_context(|| format!("cannot create folder `{}`", path.display()))?;
        let page = OutputFile::create(&path.join("index.html"), &inputs(args))?;
        let gallery = Gallery::begin(page, &title(args), args.theme.map(Into::into))?;
        Ok(Self { args, path: path.to_owned(), fonts, gallery, lines: 0, pictures: 0, missing: BTreeSet::new() })
    }

    fn add(&mut self, translation: &Translation) -> Result<()> {
        self.lines += 1;
        let candidate = &translation.candidates[0];
        let is_blank = [&translation.source, &candidate.text].iter().any(|text| text.trim().is_empty());
        let alignment = candidate.alignment.as_ref().filter(|_| !is_blank);
        let picture = alignment.map(|alignment| self.draw(alignment)).transpose()?.flatten();
        self.gallery.add(self.lines, &translation.source, &one_line(&candidate.text), picture.as_deref())?;
        Ok(())
    }

    /// Writes a picture; returns the name of its file. One without words, or that is too large, is left out.
    fn draw(&mut self, alignment: &Alignment) -> Result<Option<String>> {
        let units = if self.args.subwords { Some(alignment.clone()) } else { words(alignment, Segmentation::Words)? };
        let Some(alignment) = &units else { return Ok(None) };
        let (number, style) = (self.lines, style(self.args));
        let (extension, bytes) = match self.args.format.unwrap_or(PictureFormat::Svg) {
            PictureFormat::Svg => ("svg", heatmap::svg(alignment, &style, self.fonts).into_bytes()),
            PictureFormat::Png => match heatmap::png(alignment, &style, self.fonts, scale(self.args)) {
                Ok(rendered) => {
                    self.missing.extend(rendered.missing);
                    ("png", rendered.bytes)
                }
                Err(error @ AlignmentError::TooLarge { .. }) => {
                    self.args.messages.warning(format_args!("line {number} is left out: {error}"));
                    return Ok(None);
                }
                Err(error) => return Err(error.into()),
            },
        };
        let name = format!("{number:06}.{extension}");
        let mut file = OutputFile::create(&self.path.join(&name), &inputs(self.args))?;
        file.write(&bytes)?;
        file.finish()?;
        self.pictures += 1;
        Ok(Some(name))
    }

    fn finish(self) -> Result<()> {
        self.gallery.finish()?.finish()?;
        let missing: Vec<char> = self.missing.into_iter().collect();
        warn_of_missing(&missing, self.args.messages);
        let (pictures, lines, page) = (self.pictures, self.lines, self.path.join("index.html"));
        self.args.messages.note(format_args!("wrote {pictures} pictures of {lines} lines and `{}`", page.display()));
        Ok(())
    }
}
