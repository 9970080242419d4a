//! The files that a scenario reads, each once.
//!
//! Nothing here touches a file system: the caller passes a function from a relative path to a
//! text. What was read is kept, so that a stored run can hold it and be repeated elsewhere.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use models::postgres::PgVersion;
use models::postgres::guc::{SettingError, Settings};

use crate::error::{Finding, Findings};
use crate::import;
use crate::import::lsn_samples::{self, WalHistory};
use crate::import::postgresql_conf::PostgresqlConf;
use crate::limits;
use crate::source::{Sources, Span};

/// Reads a file, named relative to the scenario; the error says why not.
pub type Read<'r> = dyn FnMut(&str) -> Result<String, String> + 'r;

/// A file that was read.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    /// What it says.
    pub text: Rc<str>,
    /// Where its numbering begins.
    pub base: usize,
}

/// A server's settings, and for every line what PostgreSQL says against it.
pub(crate) type Configured = (Settings, Vec<Option<SettingError>>);

/// A WAL history, or what is wrong with it.
type ReadHistory = Result<Rc<WalHistory>, Vec<Finding>>;

/// How many configurations are kept: variants mostly share theirs.
const MOST_KEPT: usize = 64;

/// The files of one scenario.
pub(crate) struct Library<'r> {
    read: &'r dyn Fn(&str) -> Result<String, String>,
    texts: RefCell<BTreeMap<String, Result<Text, String>>>,
    histories: RefCell<BTreeMap<String, ReadHistory>>,
    configurations: RefCell<BTreeMap<String, Rc<PostgresqlConf>>>,
    configured: RefCell<BTreeMap<String, Rc<Configured>>>,
    /// Every text, for places in messages.
    pub sources: RefCell<Sources>,
}

impl<'r> Library<'r> {
    /// Knows no file yet.
    pub fn new(sources: Sources, read: &'r dyn Fn(&str) -> Result<String, String>) -> Library<'r> {
        Library {
            read,
            texts: RefCell::default(),
            histories: RefCell::default(),
            configurations: RefCell::default(),
            configured: RefCell::default(),
            sources: RefCell::new(sources),
        }
    }

    /// The text of a file. `span` names it, for the message if it cannot be read: every time, so
    /// that each variant that needs it knows.
    pub fn text(&self, path: &str, span: Span, findings: &Findings) -> Option<Text> {
        let known = self.texts.borrow().get(path).cloned();
        let text = known.unwrap_or_else(|| {
            let text = self.fetch(path);
            self.texts.borrow_mut().insert(path.to_owned(), text.clone());
            text
        });
        text.map_err(|why| {
            findings.push(Finding::new(span, format!("`{}` {why}", path.escape_debug())));
        })
        .ok()
    }

    fn fetch(&self, path: &str) -> Result<Text, String> {
        if path.is_empty() {
            return Err("is no file".to_owned());
        }
        if self.texts.borrow().len() >= limits::MOST_FILES {
            return Err(format!("is one file too many: at most {}", limits::MOST_FILES));
        }
        let text = (self.read)(path).map_err(|why| format!("cannot be read: {why}"))?;
        let base = self.sources.borrow_mut().add(path, &text);
        Ok(Text { text: Rc::from(text), base })
    }

    /// A WAL history, parsed once. It has to be one as it stands: what an import would drop or
    /// move is a mistake here.
    pub fn history(&self, path: &str, span: Span, findings: &Findings) -> Option<Rc<WalHistory>> {
        let text = self.text(path, span, findings)?;
        let known = self.histories.borrow().get(path).cloned();
        let history = known.unwrap_or_else(|| {
            let used = |finding: Finding| finding.label(span, "it is used here");
            let history = self.read_history(path, &text).map(Rc::new);
            let history = history.map_err(|found| found.into_iter().map(used).collect());
            self.histories.borrow_mut().insert(path.to_owned(), history.clone());
            history
        });
        history.map_err(|found: Vec<Finding>| found.into_iter().for_each(|f| findings.push(f))).ok()
    }

    fn read_history(&self, path: &str, text: &Text) -> Result<WalHistory, Vec<Finding>> {
        let findings = Findings::default();
        let file = import::File { name: path, text: &text.text, base: text.base };
        let Some(history) = lsn_samples::parse(&[file], &findings) else {
            return Err(findings.take());
        };
        let problem = if let Some(doubt) = history.doubt() {
            Some((self.line(path, doubt.line), doubt.what.clone()))
        } else if history.samples.len() > limits::MOST_ROWS {
            let what = "the history has more than 200,000 rows".to_owned();
            Some((file.first_line(), what))
        } else {
            None
        };
        match problem {
            Some((at, what)) => {
                let import = format!("`walden import lsn-samples {path} -o profile.toml`");
                let help = format!("{import} makes a history of it, and says how");
                Err(vec![Finding::new(at, what).help(help)])
            }
            None => Ok(history),
        }
    }

    /// A `postgresql.conf` and what it includes, parsed once.
    pub fn configuration(
        &self,
        path: &str,
        span: Span,
        findings: &Findings,
    ) -> Option<Rc<PostgresqlConf>> {
        let first = self.text(path, span, findings)?;
        if let Some(known) = self.configurations.borrow().get(path) {
            return Some(Rc::clone(known));
        }
        let mut included = |path: &str| {
            let text = self.text(path, span, &Findings::default());
            text.map(|t| t.text.to_string())
        };
        let conf = Rc::new(PostgresqlConf::read(path, &first.text, &mut included));
        self.configurations.borrow_mut().insert(path.to_owned(), Rc::clone(&conf));
        Some(conf)
    }

    /// Names and values set in order. Most servers of most variants are set alike, and setting is
    /// the dear part of reading a scenario, so what was set once is kept.
    pub fn settings(&self, version: PgVersion, lines: &[(&str, &str)]) -> Rc<Configured> {
        let mut key = version.to_string();
        for (name, value) in lines {
            // Lengths, so that no two lists of lines read alike.
            key.push_str(&format!("\n{} {} {name} {value}", name.len(), value.len()));
        }
        if let Some(known) = self.configured.borrow().get(&key) {
            return Rc::clone(known);
        }
        let mut settings = Settings::defaults(version);
        let errors = lines.iter().map(|(name, value)| settings.set(name, value).err()).collect();
        let configured = Rc::new((settings, errors));
        let mut kept = self.configured.borrow_mut();
        if kept.len() < MOST_KEPT {
            kept.insert(key, Rc::clone(&configured));
        }
        configured
    }

    /// A line (from 1) of a file that was read, without the blanks around it.
    pub fn line(&self, path: &str, line: usize) -> Span {
        let texts = self.texts.borrow();
        let Some(Ok(text)) = texts.get(path) else { return Span::default() };
        let before: usize =
            text.text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
        let rest = text.text.get(before..).unwrap_or("");
        let whole = rest.lines().next().unwrap_or("");
        let start = before + (whole.len() - whole.trim_start().len());
        Span::at(text.base, start..start + whole.trim().len())
    }

    /// Everything that was read, by path.
    pub fn into_files(self) -> (BTreeMap<String, String>, Sources) {
        let texts = self.texts.into_inner();
        let files =
            texts.into_iter().filter_map(|(path, t)| Some((path, t.ok()?.text.to_string())));
        (files.collect(), self.sources.into_inner())
    }
}
