//! Places in files, drawn: the line itself with a caret, the other place where two disagree, and
//! help. miette is used here and nowhere else.

use std::fmt;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, Severity,
    SourceCode, SourceSpan,
};
use scenarios::check::{Finding, Level, Report};
use scenarios::{Problem, Problems};

use crate::errors::Origin;
use crate::terminal::plain;

/// All mistakes of a scenario or an import, and `so` what follows from them.
pub fn problems(problems: &Problems, origin: &Origin, so: &str, colour: bool) -> String {
    let pencil = Pencil::new(origin, |file| problems.source(file), colour);
    let list = problems.report();
    let mut drawn: String =
        list.iter().map(|problem| pencil.draw(problem, Level::Error, "")).collect();
    let count = list.len() + problems.more();
    let noun = if count == 1 { "mistake" } else { "mistakes" };
    drawn.push_str(&format!("{count} {noun}; {so}\n"));
    drawn
}

/// All findings of a check, each with its level, its code and the variants it is about.
pub fn findings(report: &Report, origin: &Origin, colour: bool) -> String {
    let pencil = Pencil::new(origin, |file| report.source(file), colour);
    let draw = |finding: &Finding| {
        let rule = finding.rule;
        let mut before = format!("{} {}", rule.level, rule.code);
        if !finding.variants.is_empty() {
            before.push_str(&format!(" ({})", finding.variants.join(", ")));
        }
        before.push(' ');
        pencil.draw(&finding.problem, rule.level, &before)
    };
    report.findings().iter().map(draw).collect()
}

/// Draws the places of one scenario.
struct Pencil<'a, S: Fn(&str) -> Option<&'a str>> {
    handler: GraphicalReportHandler,
    origin: &'a Origin,
    source: S,
}

impl<'a, S: Fn(&str) -> Option<&'a str>> Pencil<'a, S> {
    fn new(origin: &'a Origin, source: S, colour: bool) -> Pencil<'a, S> {
        let theme =
            if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_links(false).with_width(100);
        Pencil { handler, origin, source }
    }

    fn draw(&self, problem: &Problem, level: Level, before: &str) -> String {
        let mut drawn = String::new();
        let (drawing, elsewhere) = self.drawings(problem, level, before);
        for part in std::iter::once(&drawing).chain(&elsewhere) {
            if self.handler.render_report(&mut drawn, part).is_err() {
                drawn.push_str(&plain(&part.to_string()));
            }
        }
        drawn.push('\n');
        drawn
    }

    /// What is meant, and what belongs to it in other files.
    fn drawings(&self, problem: &Problem, level: Level, before: &str) -> (Drawing, Vec<Drawing>) {
        let place = |file: &str, line: usize, column: usize| {
            format!("{}:{line}:{column}", self.origin.shown(file))
        };
        let mut labels = vec![LabeledSpan::new_primary_with_span(
            Some("here".to_owned()),
            SourceSpan::from(problem.span.clone()),
        )];
        let mut elsewhere = Vec::new();
        for label in &problem.labels {
            let span = LabeledSpan::new_with_span(
                Some(plain(&label.text)),
                SourceSpan::from(label.span.clone()),
            );
            if label.file == problem.file {
                labels.push(span);
            } else {
                elsewhere.push(Drawing {
                    title: format!(
                        "{}: {}",
                        place(&label.file, label.line, label.column),
                        label.text
                    ),
                    help: None,
                    source: self.named(&label.file),
                    labels: vec![span],
                    severity: Severity::Advice,
                });
            }
        }
        let at = place(&problem.file, problem.line, problem.column);
        let drawing = Drawing {
            title: format!("{before}{at}: {}", problem.message),
            help: problem.help.as_deref().map(plain),
            source: self.named(&problem.file),
            labels,
            severity: match level {
                Level::Error => Severity::Error,
                Level::Warning => Severity::Warning,
                Level::Note => Severity::Advice,
            },
        };
        (drawing, elsewhere)
    }

    fn named(&self, file: &str) -> Option<NamedSource<String>> {
        (self.source)(file).map(|text| NamedSource::new(self.origin.shown(file), text.to_owned()))
    }
}

/// One place as miette wants it, or what belongs to it in another file: advice below it.
#[derive(Debug)]
struct Drawing {
    title: String,
    help: Option<String>,
    source: Option<NamedSource<String>>,
    labels: Vec<LabeledSpan>,
    severity: Severity,
}

impl fmt::Display for Drawing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&plain(&self.title))
    }
}

impl std::error::Error for Drawing {}

impl Diagnostic for Drawing {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        // Without its text there is nothing to draw the labels on.
        self.source.as_ref()?;
        Some(Box::new(self.labels.iter().cloned()))
    }

    fn severity(&self) -> Option<Severity> {
        Some(self.severity)
    }
}
