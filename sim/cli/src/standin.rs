//! Stands in for what other crates do not have yet. Goes away.
#![allow(dead_code, missing_docs)]
use models::trace::Run;
use scenarios::scenario::Scenario;
use sim::{Options, Outside, RunError};
use std::io;
use std::ops::Range;

#[derive(Clone, Debug, thiserror::Error)]
#[error("problems")]
pub struct Problems {
    list: Vec<Problem>,
    text: String,
}
impl Problems {
    pub fn report(&self) -> Vec<Problem> {
        self.list.clone()
    }
    pub fn more(&self) -> usize {
        0
    }
    pub fn source(&self, _: &str) -> Option<&str> {
        Some(&self.text)
    }
}
#[derive(Clone, Debug)]
pub struct Problem {
    pub file: String,
    pub line: usize,
    pub column: usize,
    pub span: Range<usize>,
    pub message: String,
    pub help: Option<String>,
    pub labels: Vec<Label>,
}
#[derive(Clone, Debug)]
pub struct Label {
    pub file: String,
    pub line: usize,
    pub column: usize,
    pub span: Range<usize>,
    pub text: String,
}
#[derive(Clone, Debug)]
pub struct ScenarioFile {
    name: String,
    text: String,
}
impl ScenarioFile {
    pub fn parse(
        name: &str,
        text: &str,
        _read: impl Fn(&str) -> io::Result<String>,
    ) -> Result<ScenarioFile, Problems> {
        Ok(ScenarioFile { name: name.into(), text: text.into() })
    }
    pub fn with(self, _: &[(String, String)], _: Option<u64>) -> Result<ScenarioFile, Problems> {
        Ok(self)
    }
    pub fn variants(&self) -> Result<Vec<Scenario>, Problems> {
        Ok(vec![])
    }
    pub fn name(&self) -> &str {
        &self.name
    }
    pub fn archive(&self) -> String {
        self.text.clone()
    }
}
pub fn run_all(
    s: &[Scenario],
    _t: usize,
    o: Options,
    outside: &[Outside],
) -> Vec<Result<Run, RunError>> {
    s.iter().zip(outside).map(|(s, out)| sim::run(s, o, out)).collect()
}
pub mod catalog {
    pub struct Entry {
        pub name: &'static str,
        pub text: &'static str,
        pub question: &'static str,
    }
    pub fn find(name: &str) -> Option<&'static Entry> {
        all().iter().find(|e| e.name == name)
    }
    pub fn all() -> &'static [Entry] {
        &[Entry { name: "basics/one_standby", text: "", question: "What?" }]
    }
}
pub mod reports {
    use models::trace::Run;
    use std::io;
    use std::path::Path;
    pub struct Comparison {
        pub columns: Vec<String>,
        pub rows: Vec<Vec<String>>,
    }
    pub struct Events {
        pub lines: Vec<String>,
        pub more: usize,
    }
    pub fn comparison(_: &[Run]) -> Comparison {
        Comparison { columns: vec!["variant".into(), "tps".into()], rows: vec![] }
    }
    pub fn events(_: &Run, _: usize) -> Events {
        Events { lines: vec![], more: 0 }
    }
    pub fn render(_: &[Run], dir: &Path, _: &str) -> io::Result<()> {
        std::fs::write(dir.join("report.html"), "<html>")?;
        std::fs::write(dir.join("summary.json"), "{}")
    }
    pub fn summary_json(_: &[Run]) -> String {
        "{}".into()
    }
}
