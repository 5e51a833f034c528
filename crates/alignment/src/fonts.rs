//! The fonts that labels are measured and drawn with.
//!
//! A label may be in any script, and no font has all of them. [`Fonts`] is a list of faces in order of preference: fonts
//! given by the user, those shipped with this crate, and those of the system. Each label is set in the first face that
//! has all its characters, or piece by piece if none does. A character that no face has is reported, never passed over.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use fontdb::{Database, FaceInfo, ID, Source, Style, Weight};
use skrifa::{FontRef, MetadataProvider};
use unicode_segmentation::UnicodeSegmentation;

use crate::AlignmentError;

/// Subsets of Noto Sans under the Open Font License; `fonts/README.md` says what they hold and how they were made.
const SHIPPED: [&[u8]; 10] = [
    include_bytes!("../fonts/NotoSans.ttf"),
    include_bytes!("../fonts/NotoSansArabic.ttf"),
    include_bytes!("../fonts/NotoSansDevanagari.ttf"),
    include_bytes!("../fonts/NotoSansHebrew.ttf"),
    include_bytes!("../fonts/NotoSansThai.ttf"),
    include_bytes!("../fonts/NotoSansArmenian.ttf"),
    include_bytes!("../fonts/NotoSansGeorgian.ttf"),
    include_bytes!("../fonts/NotoSansCJK.otf"),
    include_bytes!("../fonts/NotoSansMath.ttf"),
    include_bytes!("../fonts/NotoSansSymbols.ttf"),
];

/// Fonts in order of preference.
#[derive(Clone, Debug)]
pub struct Fonts {
    database: Database,
    /// Preferred faces first. Never empty.
    faces: Vec<ID>,
    /// How many of the first faces the user gave.
    given: usize,
    /// Whether fonts of the system may be asked for characters that the faces lack.
    system: bool,
}

impl Fonts {
    /// The fonts shipped with this crate, the same on every machine: Latin, Greek, Cyrillic, Arabic, Hebrew, Devanagari,
    /// Thai, Armenian, Georgian, Chinese, Japanese, Korean.
    pub fn shipped() -> Self {
        let mut database = Database::new();
        let load = |&font: &&'static [u8]| database.load_font_source(Source::Binary(Arc::new(font))).to_vec();
        let faces = SHIPPED.iter().flat_map(load).collect();
        Self { database, faces, given: 0, system: false }
    }

    /// Allows the fonts of the system for characters that no other font has. They are read when first needed.
    pub fn with_system(mut self) -> Self {
        self.system = true;
        self
    }

    /// Prefers the font in a file (TrueType, OpenType, or a collection) to all others but those given before.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, or that holds no font with outlines.
    pub fn with_file(mut self, path: &Path) -> Result<Self, AlignmentError> {
        let data = std::fs::read(path).map_err(|error| AlignmentError::FontFile { path: path.to_owned(), error })?;
        let loaded = self.database.load_font_source(Source::Binary(Arc::new(data)));
        let drawable: Vec<ID> = loaded.into_iter().filter(|&id| has_outlines(&self.database, id)).collect();
        if drawable.is_empty() {
            return Err(AlignmentError::NotAFont { path: path.to_owned() });
        }
        let after = self.given + drawable.len();
        self.faces.splice(self.given..self.given, drawable);
        self.given = after;
        Ok(self)
    }

    /// Names of the families the user gave.
    pub(crate) fn given_families(&self) -> Vec<&str> {
        self.faces[..self.given].iter().filter_map(|&id| self.database.face(id)).map(family).collect()
    }

    /// These fonts, and fonts of the system for characters of `text` that these lack, if that is allowed.
    pub fn covering(&self, text: &str) -> Cow<'_, Self> {
        let mut lacking: BTreeSet<char> =
            text.chars().filter(|&c| !self.faces.iter().any(|&id| self.has(id, c))).collect();
        if !self.system || lacking.is_empty() {
            return Cow::Borrowed(self);
        }
        let mut fonts = self.clone();
        for id in fonts.load_system() {
            let before = lacking.len();
            lacking.retain(|&c| !fonts.has(id, c));
            if lacking.len() < before {
                fonts.faces.push(id);
            }
        }
        Cow::Owned(fonts)
    }

    /// Bytes of the text that one face is used for, with the index of the face.
    pub(crate) fn runs(&self, text: &str) -> Vec<(usize, Range<usize>)> {
        if let Some(face) = self.face_for(text) {
            return vec![(face, 0..text.len())];
        }
        let mut runs: Vec<(usize, Range<usize>)> = Vec::new();
        for (start, grapheme) in text.grapheme_indices(true) {
            let base = grapheme.chars().next().map_or(grapheme, |c| &grapheme[..c.len_utf8()]);
            let last = runs.last().map_or(0, |run| run.0);
            let face = self.face_for(grapheme).or_else(|| self.face_for(base)).unwrap_or(last);
            let end = start + grapheme.len();
            match runs.last_mut() {
                Some(run) if run.0 == face => run.1.end = end,
                _ => runs.push((face, start..end)),
            }
        }
        runs
    }

    /// Reads the face that [`Fonts::runs`] calls `index`; `None` if its file has vanished.
    pub(crate) fn with_face<T>(&self, index: usize, read: impl FnOnce(&FontRef) -> T) -> Option<T> {
        with_font(&self.database, self.faces[index], read)
    }

    fn face_for(&self, text: &str) -> Option<usize> {
        self.faces.iter().position(|&id| text.chars().all(|c| self.has(id, c)))
    }

    fn has(&self, id: ID, c: char) -> bool {
        is_invisible(c) || with_font(&self.database, id, |font| font.charmap().map(c).is_some()).unwrap_or(false)
    }

    /// Faces of the system that can be drawn: upright and regular ones first, then by name. Those of last resort are left
    /// out: they have a box for everything.
    fn load_system(&mut self) -> Vec<ID> {
        let before: BTreeSet<ID> = self.database.faces().map(|face| face.id).collect();
        self.database.load_system_fonts();
        let mut faces: Vec<&FaceInfo> = self.database.faces().filter(|face| !before.contains(&face.id)).collect();
        let plain = |face: &FaceInfo| face.style == Style::Normal && face.weight == Weight::NORMAL;
        faces.sort_by_cached_key(|face| {
            (!plain(face), family(face).to_owned(), face.post_script_name.clone(), face.index)
        });
        let ids: Vec<ID> = faces.into_iter().filter(|face| !is_last_resort(face)).map(|face| face.id).collect();
        ids.into_iter().filter(|&id| has_outlines(&self.database, id)).collect()
    }
}

fn with_font<T>(database: &Database, id: ID, read: impl FnOnce(&FontRef) -> T) -> Option<T> {
    database.with_face_data(id, |data, index| FontRef::from_index(data, index).ok().map(|font| read(&font)))?
}

/// Bitmap fonts, as most emoji fonts are, would be drawn as nothing at all.
fn has_outlines(database: &Database, id: ID) -> bool {
    with_font(database, id, |font| font.outline_glyphs().format().is_some()).unwrap_or(false)
}

fn family(face: &FaceInfo) -> &str {
    face.families.first().map_or("", |(name, _)| name)
}

fn is_last_resort(face: &FaceInfo) -> bool {
    face.post_script_name.contains("LastResort")
}

/// Characters that steer how others look and are not seen themselves: joiners, marks of direction, variation selectors.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(u32::from(c),
        0xAD | 0x34F | 0x61C | 0x115F | 0x1160 | 0x17B4 | 0x17B5 | 0x180B..=0x180F | 0x200B..=0x200F | 0x202A..=0x202E
        | 0x2060..=0x206F | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0x1D173..=0x1D17A | 0xE0000..=0xE0FFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_font_loads_and_has_its_script() {
        let fonts = Fonts::shipped();
        assert_eq!(fonts.faces.len(), SHIPPED.len());
        let texts = [
            "Größe façade źdźbło ő ğ",
            "ἀρχή ελληνικά",
            "русский їжак",
            "العربية فارسی اُردُو",
            "हिन्दी मराठी",
            "עברית",
            "ภาษาไทย",
            "Հայերեն",
            "ქართული",
            "汉语漢字",
            "ひらがなカタカナ",
            "한국어",
            "▁␣␛→≤",
        ];
        for text in texts {
            assert_eq!(fonts.shape(text, 10.0).missing, BTreeSet::new(), "{text}");
        }
    }

    #[test]
    fn a_label_of_two_scripts_is_cut_between_them() {
        let fonts = Fonts::shipped();
        let runs: Vec<_> = fonts.runs("GPTमें").into_iter().map(|(_, run)| run).collect();
        assert_eq!(runs, [0..3, 3..12]);
        assert_eq!(fonts.runs("naïve"), [(0, 0..6)]);
    }

    #[test]
    fn given_fonts_come_first_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, data: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, data).unwrap();
            path
        };
        let (hebrew, thai) = (write("a.ttf", SHIPPED[3]), write("b.ttf", SHIPPED[4]));
        let fonts = Fonts::shipped().with_file(&hebrew).unwrap().with_file(&thai).unwrap();
        assert_eq!(fonts.given_families(), ["Noto Sans Hebrew", "Noto Sans Thai"]);
        assert_eq!((fonts.runs("ש")[0].0, fonts.runs("ก")[0].0, fonts.runs("a")[0].0), (0, 1, 2));

        let text = write("c.ttf", b"not a font");
        let error = Fonts::shipped().with_file(&text).unwrap_err();
        assert!(matches!(error, AlignmentError::NotAFont { .. }), "{error}");
        let missing = Fonts::shipped().with_file(&folder.path().join("none.ttf")).unwrap_err();
        assert!(missing.to_string().starts_with("cannot read the font "), "{missing}");
    }
}
