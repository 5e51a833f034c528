//! A page that shows pictures which lie beside it, each with its sentences. It is written as they come.

use std::io::{self, Write};

use crate::heatmap::{Theme, escaped};

const HTML: &str = include_str!("gallery.html");

/// What is between the head of the page and its foot, where the pictures come.
const PICTURES: &str = "<!-- pictures -->";

/// The page while it is being written.
///
/// ```
/// use rnnsearch_alignment::html::Gallery;
///
/// let mut gallery = Gallery::begin(Vec::new(), "An example", None)?;
/// gallery.add(1, "zone économique", "economic area", Some("000001.svg"))?;
/// let page = String::from_utf8(gallery.finish()?).unwrap();
/// assert!(page.contains(r#"src="000001.svg""#));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Gallery<W> {
    to: W,
}

impl<W: Write> Gallery<W> {
    /// Writes the head of the page. Without a theme its colours are those that the reader's system asks for, and pictures, which
    /// are then taken to be light, are shown with their colours turned on dark ground.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn begin(mut to: W, title: &str, theme: Option<Theme>) -> io::Result<Self> {
        let theme = match theme {
            None => "",
            Some(Theme::Light) => "light",
            Some(Theme::Dark) => "dark",
        };
        let (head, _) = halves();
        to.write_all(head.replace("{theme}", theme).replace("{title}", &escaped(title)).as_bytes())?;
        Ok(Self { to })
    }

    /// Writes an entry: its number, its sentences, and the name of its picture's file, which must need no escapes in a URL.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn add(&mut self, number: usize, source: &str, target: &str, picture: Option<&str>) -> io::Result<()> {
        let (source, target) = (escaped(source), escaped(target));
        let picture = match picture {
            Some(name) => format!(
                r#"<a href="{name}"><img src="{name}" loading="lazy" alt="Which words of the sentence its translation looked at"></a>"#
            ),
            None => "<small>There is no picture: a sentence is blank, or too long.</small>".to_owned(),
        };
        writeln!(
            self.to,
            r##"<section id="{number}" tabindex="-1"><h2><a href="#{number}">{number}</a></h2><p dir="auto">{source}</p><p dir="auto" class="target">{target}</p>{picture}</section>"##
        )
    }

    /// Writes the foot of the page.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn finish(mut self) -> io::Result<W> {
        let (_, foot) = halves();
        self.to.write_all(foot.as_bytes())?;
        Ok(self.to)
    }
}

fn halves() -> (&'static str, &'static str) {
    HTML.split_once(PICTURES).expect("gallery.html has the mark")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_text() {
        let mut gallery = Gallery::begin(Vec::new(), "</title>{title}", Some(Theme::Dark)).unwrap();
        gallery.add(1, "<script>alert(1)</script>", "a & \"b\"", None).unwrap();
        let page = String::from_utf8(gallery.finish().unwrap()).unwrap();
        assert!(page.contains("<title>&lt;/title&gt;{title}</title>") && page.contains(r#"data-theme="dark""#));
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && page.matches("<script>").count() == 1);
        assert!(page.contains("There is no picture") && page.trim_end().ends_with("</html>"));
    }
}
