//! Colours, markers and dashes.

/// The ground that a picture is drawn on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// Dark ink on white.
    #[default]
    Light,
    /// Light ink on black.
    Dark,
}

/// The colours of a picture, as SVG spells them.
pub(super) struct Looks {
    pub paper: &'static str,
    pub ink: &'static str,
    /// For what explains the picture.
    pub faint: &'static str,
    pub grid: &'static str,
    /// For the line of zero.
    pub zero: &'static str,
    /// Of lines.
    colours: [&'static str; 7],
}

/// Okabe & Ito's colours, which colour-blind readers can tell apart, without the yellow that white swallows.
const LIGHT: Looks = Looks {
    paper: "#ffffff",
    ink: "#20242a",
    faint: "#626872",
    grid: "#e3e6ea",
    zero: "#868c96",
    colours: ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#333333"],
};

/// The same hues, lighter, and in another order: the light blue and the orange are the clearest on black.
const DARK: Looks = Looks {
    paper: "#14161a",
    ink: "#e4e6ea",
    faint: "#a2a8b2",
    grid: "#2c3037",
    zero: "#727884",
    colours: ["#56b4e9", "#e69f00", "#2bc596", "#e79cc8", "#f0e442", "#ff7f3f", "#d5d8dd"],
};

/// Left to the style sheet of a page.
pub(super) const PAGE: Looks = Looks {
    paper: "var(--paper)",
    ink: "var(--ink)",
    faint: "var(--faint)",
    grid: "var(--grid)",
    zero: "var(--zero)",
    colours: ["var(--c0)", "var(--c1)", "var(--c2)", "var(--c3)", "var(--c4)", "var(--c5)", "var(--c6)"],
};

/// Once all colours are used, the next round is dashed.
const DASHES: [&str; 3] = ["", "7 4", "2 4"];

impl Theme {
    pub(super) fn looks(self) -> &'static Looks {
        match self {
            Self::Light => &LIGHT,
            Self::Dark => &DARK,
        }
    }

    /// Red, green and blue of the paper.
    pub fn paper(self) -> [u8; 3] {
        match self {
            Self::Light => [255, 255, 255],
            Self::Dark => [0x14, 0x16, 0x1a],
        }
    }

    /// The variables of [`PAGE`], as a style sheet defines them.
    pub(super) fn variables(self) -> String {
        let Looks { paper, ink, faint, grid, zero, colours } = self.looks();
        let colours: String = colours.iter().enumerate().map(|(i, colour)| format!(" --c{i}: {colour};")).collect();
        format!("--paper: {paper}; --ink: {ink}; --faint: {faint}; --grid: {grid}; --zero: {zero};{colours}")
    }
}

impl Looks {
    pub fn colour(&self, name: usize) -> &'static str {
        self.colours[name % self.colours.len()]
    }

    /// The attributes of a line's stroke.
    pub fn stroke(&self, name: usize, width: f64) -> String {
        let dash = match DASHES[name / self.colours.len() % DASHES.len()] {
            "" => String::new(),
            dash => format!(" stroke-dasharray=\"{dash}\""),
        };
        let colour = self.colour(name);
        format!("fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\" stroke-linejoin=\"round\"{dash}")
    }

    /// A marker, by whose shape lines are told apart in grey, too.
    pub fn marker(&self, name: usize, x: f64, y: f64) -> String {
        let shape = match name % 4 {
            0 => "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z",
            1 => "M-4.2 -4.2h8.4v8.4h-8.4z",
            2 => "M0 -5.4L5.2 4.2H-5.2z",
            _ => "M0 -6L6 0L0 6L-6 0z",
        };
        let (colour, paper) = (self.colour(name), self.paper);
        format!(
            "<path d=\"{shape}\" transform=\"translate({x:.2} {y:.2})\" fill=\"{colour}\" stroke=\"{paper}\" stroke-width=\"1.5\"/>\n"
        )
    }
}
