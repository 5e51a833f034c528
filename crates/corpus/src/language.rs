//! Which language a text is in.

use std::fmt;

use whatlang::{Lang, Script};

use crate::error::CorpusError;

/// A language that can be told from others.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Language(Lang);

/// Codes of ISO 639-1, and other codes that are in use, of the languages whose codes in ISO 639-3 `whatlang` knows.
const CODES: &[(&str, Lang)] = &[
    ("af", Lang::Afr),
    ("ak", Lang::Aka),
    ("am", Lang::Amh),
    ("ar", Lang::Ara),
    ("az", Lang::Aze),
    ("be", Lang::Bel),
    ("bg", Lang::Bul),
    ("bn", Lang::Ben),
    ("ca", Lang::Cat),
    ("cs", Lang::Ces),
    ("cy", Lang::Cym),
    ("da", Lang::Dan),
    ("de", Lang::Deu),
    ("el", Lang::Ell),
    ("en", Lang::Eng),
    ("eo", Lang::Epo),
    ("es", Lang::Spa),
    ("et", Lang::Est),
    ("fa", Lang::Pes),
    ("fas", Lang::Pes),
    ("fi", Lang::Fin),
    ("fr", Lang::Fra),
    ("gu", Lang::Guj),
    ("he", Lang::Heb),
    ("hi", Lang::Hin),
    ("hr", Lang::Hrv),
    ("hu", Lang::Hun),
    ("hy", Lang::Hye),
    ("id", Lang::Ind),
    ("it", Lang::Ita),
    ("iw", Lang::Heb),
    ("ja", Lang::Jpn),
    ("jv", Lang::Jav),
    ("ka", Lang::Kat),
    ("km", Lang::Khm),
    ("kn", Lang::Kan),
    ("ko", Lang::Kor),
    ("la", Lang::Lat),
    ("lt", Lang::Lit),
    ("lv", Lang::Lav),
    ("mk", Lang::Mkd),
    ("ml", Lang::Mal),
    ("mr", Lang::Mar),
    ("my", Lang::Mya),
    ("nb", Lang::Nob),
    ("ne", Lang::Nep),
    ("nl", Lang::Nld),
    ("no", Lang::Nob),
    ("nor", Lang::Nob),
    ("or", Lang::Ori),
    ("pa", Lang::Pan),
    ("pl", Lang::Pol),
    ("pt", Lang::Por),
    ("ro", Lang::Ron),
    ("ru", Lang::Rus),
    ("si", Lang::Sin),
    ("sk", Lang::Slk),
    ("sl", Lang::Slv),
    ("sn", Lang::Sna),
    ("sr", Lang::Srp),
    ("sv", Lang::Swe),
    ("ta", Lang::Tam),
    ("te", Lang::Tel),
    ("th", Lang::Tha),
    ("tk", Lang::Tuk),
    ("tl", Lang::Tgl),
    ("tr", Lang::Tur),
    ("uk", Lang::Ukr),
    ("ur", Lang::Urd),
    ("uz", Lang::Uzb),
    ("vi", Lang::Vie),
    ("yi", Lang::Yid),
    ("zh", Lang::Cmn),
    ("zho", Lang::Cmn),
    ("chinese", Lang::Cmn),
    ("zu", Lang::Zul),
];

/// Languages that are written in other scripts too than those by which they are told.
const SEVERAL_SCRIPTS: [Lang; 6] = [Lang::Srp, Lang::Uzb, Lang::Aze, Lang::Tuk, Lang::Pan, Lang::Jav];

/// The fewest letters that tell a language from another one in its script, and from those in other scripts.
const LETTERS: (usize, usize) = (40, 10);

impl Language {
    /// The language of a code (`de`, `deu`, `de-AT`, `pt_BR`) or an English name (`German`); none if it is not known here.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = name.to_lowercase();
        let first = name.split(['-', '_']).next().unwrap_or_default();
        let by_code = CODES.iter().find(|(code, _)| *code == first).map(|(_, lang)| *lang);
        let by_name = || Lang::all().iter().find(|lang| lang.eng_name().to_lowercase() == name).copied();
        by_code.or_else(|| Lang::from_code(first)).or_else(by_name).map(Self)
    }

    /// As [`Language::from_name`], for the setting `key`.
    ///
    /// # Errors
    ///
    /// [`CorpusError::UnknownLanguage`].
    pub fn of_setting(key: &'static str, name: &str) -> Result<Self, CorpusError> {
        Self::from_name(name).ok_or_else(|| CorpusError::UnknownLanguage { key, name: name.to_owned() })
    }

    /// All languages that are known, as codes of ISO 639-3 in alphabetic order.
    pub fn codes() -> Vec<&'static str> {
        let mut codes: Vec<&str> = Lang::all().iter().map(|lang| lang.code()).collect();
        codes.sort_unstable();
        codes
    }

    /// Its code in ISO 639-3.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// The language that a text is surely in; none if it is too short or could be in several.
    pub fn surely_of(text: &str) -> Option<Self> {
        let found = whatlang::detect(text).filter(whatlang::Info::is_reliable)?;
        let enough = if found.script().langs().len() == 1 { LETTERS.1 } else { LETTERS.0 };
        (count_letters(text) >= enough).then(|| Self(found.lang()))
    }

    /// The language that a text is surely in instead of this one.
    ///
    /// Names and titles make a sentence look foreign: so neither half of it may look like this language, and one like the other; or no more
    /// than a tenth of the letters are in this one's script.
    pub fn surely_other(self, text: &str) -> Option<Self> {
        let found = whatlang::detect(text).filter(|found| found.lang() != self.0)?;
        let letters = count_letters(text);
        let sure = match has_script(self.0, found.script()) {
            true => {
                let halves = halves(text).map(whatlang::detect_lang);
                let agree = halves.contains(&Some(found.lang())) && !halves.contains(&Some(self.0));
                found.is_reliable() && letters >= LETTERS.0 && agree
            }
            false => {
                letters >= LETTERS.1
                    && !SEVERAL_SCRIPTS.contains(&self.0)
                    && 10 * self.letters_of_script(text) < letters
            }
        };
        sure.then(|| Self(found.lang()))
    }

    fn letters_of_script(self, text: &str) -> usize {
        let script = |letter: char| whatlang::detect_script(letter.encode_utf8(&mut [0; 4]));
        let is_mine = |letter: &char| script(*letter).is_some_and(|script| has_script(self.0, script));
        text.chars().filter(is_mine).count()
    }
}

fn count_letters(text: &str) -> usize {
    text.chars().filter(|character| character.is_alphabetic()).count()
}

/// A text in two, between words where it has any.
fn halves(text: &str) -> [&str; 2] {
    let middle = text.floor_char_boundary(text.len() / 2);
    let (one, other) = text.split_at(middle + text[middle..].find(char::is_whitespace).unwrap_or(0));
    [one, other]
}

/// Whether a language is written in a script; Japanese may be without kana.
fn has_script(language: Lang, script: Script) -> bool {
    script.langs().contains(&language) || language == Lang::Jpn && script == Script::Mandarin
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.0.eng_name())
    }
}

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENGLISH: &str = "The weather was fine, and so we went for a long walk along the river with the children.";
    const GERMAN: &str = "Das Wetter war schön, und so machten wir mit den Kindern einen langen Spaziergang am Fluss.";

    #[test]
    fn languages_have_codes_and_names() {
        let code = |name: &str| Language::from_name(name).map(Language::code);
        for name in ["de", "deu", "DE", "de-AT", "de_CH", "German"] {
            assert_eq!(code(name), Some("deu"), "{name}");
        }
        assert_eq!((code("zh-Hant"), code("no"), code("fa")), (Some("cmn"), Some("nob"), Some("pes")));
        assert_eq!((code("source"), code("xx"), code("")), (None, None, None));
        for lang in Lang::all() {
            assert!(CODES.iter().any(|(_, other)| other == lang), "{lang} has no short code");
        }
    }

    #[test]
    fn a_long_text_tells_its_language() {
        let [english, german, russian] = ["en", "de", "ru"].map(|name| Language::from_name(name).unwrap());
        assert_eq!((Language::surely_of(ENGLISH), Language::surely_of(GERMAN)), (Some(english), Some(german)));
        assert_eq!((english.surely_other(GERMAN), german.surely_other(GERMAN)), (Some(german), None));
        assert_eq!(german.surely_other("Guten Tag!"), None, "it is too short to tell");
        assert!(russian.surely_other("Guten Tag, meine Herren!").is_some(), "the script tells");
        assert_eq!(russian.surely_other("1984, 12 %, NATO"), None);
    }

    #[test]
    fn names_in_a_sentence_make_no_other_language() {
        let chinese = Language::from_name("zh").unwrap();
        assert_eq!(chinese.surely_other("还有一些品牌 Adam & Company 与 Drummond"), None);
        assert!(chinese.surely_other("Adam & Company, Drummond, Holt's Military Bank").is_some());
    }

    #[test]
    fn a_text_is_parted_between_words() {
        assert_eq!(halves("aa bb cc"), ["aa bb", " cc"]);
        assert_eq!(halves("äöü"), ["ä", "öü"]);
        assert_eq!(halves(""), ["", ""]);
    }

    #[test]
    fn scripts_that_a_language_is_also_written_in_tell_nothing() {
        let [serbian, japanese] = ["sr", "ja"].map(|name| Language::from_name(name).unwrap());
        assert_eq!(
            serbian.surely_other("Dobar dan, kako ste, ja se zovem Marko i živim u Beogradu sa porodicom."),
            None
        );
        assert_eq!(japanese.surely_other("東京大学経済学部"), None);
    }
}
