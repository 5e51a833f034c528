//! A figure as one HTML page that needs nothing else: no network, no other file.

use super::lettering::{escape, tame};
use super::{Figure, Theme};

const HTML: &str = include_str!("page.html");
const CSS: &str = include_str!("page.css");
const JS: &str = include_str!("page.js");

impl Figure {
    /// The figure as a page for the browser: values are told where one points, or goes with the arrow keys. Without a theme its
    /// colours are those that the reader's system asks for.
    pub fn html(&self, theme: Option<Theme>) -> String {
        let chosen = match theme {
            None => "",
            Some(Theme::Light) => "light",
            Some(Theme::Dark) => "dark",
        };
        let [light, dark] = [Theme::Light, Theme::Dark].map(Theme::variables);
        let css = CSS.replace("/* light */", &light).replace("/* dark */", &dark);
        let title = escape(&tame(&self.title));
        // The picture holds text from outside, and so comes last.
        let fixed = HTML.replace("/* page.css */", &css).replace("/* page.js */", JS).replace("{theme}", chosen);
        let (head, rest) = fixed.split_once("{title}").unwrap_or((&fixed, ""));
        let (middle, tail) = rest.split_once("{figure}").unwrap_or((rest, ""));
        [head, &title, middle, &self.svg_of_page(), tail].concat()
    }
}

#[cfg(test)]
mod tests {
    use crate::Theme;
    use crate::chart::tests::figure;

    #[test]
    fn a_page_is_complete() {
        let mut figure = figure(&[&[Some(1.0), Some(2.5)]]);
        figure.names[0] = "</svg><script>{figure}".into();
        let page = figure.html(Some(Theme::Dark));
        assert!(page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>"));
        assert!(page.contains("data-theme=\"dark\"") && page.contains("data-values=\"0 1,1 2.5\""), "{page}");
        assert!(page.contains("&lt;/svg&gt;&lt;script&gt;{figure}") && page.matches("<script>").count() == 1);
        for mark in ["/*", "{title}", "src=", "href=", "url("] {
            assert!(!page.contains(mark), "{mark}");
        }
    }
}
