//! A scenario file: read, checked, changed from the command line, turned into variants, stored.
//!
//! [`ScenarioFile::parse`] reads the text and everything it names and finds every mistake at
//! once, in the base and in each variant. [`ScenarioFile::with`] is `--set` and `--seed`.
//! [`ScenarioFile::variants`] gives what the simulator plays. [`ScenarioFile::archive`] is all of
//! it as one value: the text, the files it read, what was set, so that a stored run needs
//! nothing else to be repeated.

mod archive;
mod complete;
mod paths;
mod variants;

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::check::Report;
use crate::error::{Finding, Findings, Problems};
use crate::library::{Library, Read};
use crate::read::Fields;
use crate::resolve::{self, Case, Context};
use crate::scenario::Scenario;
use crate::source::{Sources, Span};
use crate::tree::{self, Entry, Node, Table, Value};
use crate::{check, keys, limits};

pub use archive::{Archive, ArchivedFault};
pub use complete::Settable;
pub(crate) use paths::FIXED;

/// A scenario file without mistakes.
#[derive(Clone, Debug)]
pub struct ScenarioFile {
    name: String,
    text: String,
    question: String,
    /// Every file it reads, by path.
    files: BTreeMap<String, String>,
    /// What was set on the command line, in order.
    sets: Vec<(String, String)>,
    seed: Option<u64>,
    /// The file, its includes and what was set.
    root: Table,
    sources: Sources,
}

/// Largest seed: TOML has no larger whole number.
const LARGEST_SEED: u64 = i64::MAX as u64;
/// How deep files may include one another.
const DEEPEST_INCLUDE: usize = 8;

impl ScenarioFile {
    /// Reads a scenario called `name` (catalogue name or path without `.toml`) from its text.
    /// Files that it names are asked of `read`, relative to the scenario.
    ///
    /// # Errors
    ///
    /// Every mistake in the text, in those files and in any variant.
    pub fn parse(name: &str, text: &str, read: &mut Read<'_>) -> Result<ScenarioFile, Problems> {
        load(name, text, &[], None, read)
    }

    /// The same scenario with `--set path=value` and `--seed`. A value is TOML, or else a string.
    ///
    /// # Errors
    ///
    /// Every mistake that this makes; a file that the scenario had not named before.
    pub fn with(
        &self,
        sets: &[(String, String)],
        seed: Option<u64>,
    ) -> Result<ScenarioFile, Problems> {
        self.with_files(sets, seed, &mut |_| {
            Err("it is not among the files that the scenario names".to_owned())
        })
    }

    /// As [`ScenarioFile::with`], where what is set may name further files.
    ///
    /// # Errors
    ///
    /// Every mistake that this makes.
    pub fn with_files(
        &self,
        sets: &[(String, String)],
        seed: Option<u64>,
        read: &mut Read<'_>,
    ) -> Result<ScenarioFile, Problems> {
        let mut all = self.sets.clone();
        all.extend_from_slice(sets);
        let mut known_first = |path: &str| match self.files.get(path) {
            Some(text) => Ok(text.clone()),
            None => read(path),
        };
        load(&self.name, &self.text, &all, seed.or(self.seed), &mut known_first)
    }

    /// What the simulator plays: the base first (unless `base = false`), then every variant,
    /// each with every combination of the matrix.
    ///
    /// # Errors
    ///
    /// None for a file that was parsed; the type says so that callers need not rely on it.
    pub fn variants(&self) -> Result<Vec<Scenario>, Problems> {
        let read = |path: &str| {
            self.files.get(path).cloned().ok_or_else(|| "it was not read before".to_owned())
        };
        let library = Library::new(self.sources.clone(), &read);
        let findings = Findings::default();
        let scenarios = resolve_all(self, &library, &findings);
        finish(library, findings).map(|_| scenarios)
    }

    /// What there is to say about it without playing it, every variant included.
    pub fn check(&self) -> Report {
        let read = |path: &str| {
            self.files.get(path).cloned().ok_or_else(|| "it was not read before".to_owned())
        };
        let library = Library::new(self.sources.clone(), &read);
        let findings = Findings::default();
        let mut found = Vec::new();
        let cases = variants::cases(&self.root, &findings);
        let variants: Vec<String> = cases.iter().map(|plan| plan.name.clone()).collect();
        for plan in &cases {
            let root = plan.apply(&self.root);
            let cx = Context { root: &root, library: &library, findings: &findings };
            let (name, question, variant) = (&*self.name, &*self.question, &*plan.name);
            let (settings, variants) = (&*plan.settings, &*variants);
            let case = Case { name, question, variant, settings, variants };
            if let Some((scenario, written)) = resolve::scenario(cx, case) {
                found.push((scenario.variant.clone(), check::scenario(&scenario, &written, &root)));
            }
        }
        let (_, sources) = library.into_files();
        Report::of_variants(found, &sources)
    }

    /// The name it was parsed under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its first comment: the question it answers. Empty without one.
    pub fn question(&self) -> &str {
        &self.question
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The files it reads, by path.
    pub fn files(&self) -> &BTreeMap<String, String> {
        &self.files
    }
}

/// The files that were read and all texts, or what was found.
fn finish(
    library: Library<'_>,
    findings: Findings,
) -> Result<(BTreeMap<String, String>, Sources), Problems> {
    let (files, sources) = library.into_files();
    let findings = findings.take();
    if findings.is_empty() { Ok((files, sources)) } else { Err(Problems::new(findings, &sources)) }
}

fn load(
    name: &str,
    text: &str,
    sets: &[(String, String)],
    seed: Option<u64>,
    read: &mut Read<'_>,
) -> Result<ScenarioFile, Problems> {
    let mut sources = Sources::default();
    let shown = if name.ends_with(".toml") { name.to_owned() } else { format!("{name}.toml") };
    let mut root = match tree::parse(&mut sources, &shown, text) {
        Ok(root) => root,
        Err(findings) => return Err(Problems::new(findings, &sources)),
    };
    let findings = Findings::default();
    let read = RefCell::new(read);
    let read = |path: &str| (read.borrow_mut())(path);
    let library = Library::new(sources, &read);
    include(&mut root, &library, &findings, &mut Vec::new());
    let set = set_all(&mut root, sets, seed, &library, &findings);
    variants::check_sets(&root, &set, &findings);
    let stem = name.strip_suffix(".toml").unwrap_or(name);
    let mut file = ScenarioFile {
        name: stem.to_owned(),
        text: text.to_owned(),
        question: question(text),
        files: BTreeMap::new(),
        sets: sets.to_vec(),
        seed,
        root,
        sources: Sources::default(),
    };
    resolve_all(&file, &library, &findings);
    let (files, sources) = finish(library, findings)?;
    file.files = files;
    file.sources = sources;
    Ok(file)
}

/// The first comment of a text: its lines up to the first other line, without an editor's
/// directive such as `#:schema`.
pub(crate) fn question(text: &str) -> String {
    let lines = text
        .lines()
        .map(str::trim)
        .skip_while(|l| l.is_empty() || l.starts_with("#:"))
        .take_while(|l| l.starts_with('#') && !l.starts_with("#:"))
        .map(|l| l.trim_start_matches('#').trim())
        .take_while(|l| !l.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}

/// Takes what `include` names into what the file leaves out.
fn include(root: &mut Table, library: &Library<'_>, findings: &Findings, above: &mut Vec<String>) {
    let own = root.clone();
    let Some(entry) = own.entry("include") else { return };
    let span = entry.key_span;
    // Only `include` is read here; the rest of the table is checked with everything else.
    let only = Table { span: own.span, entries: vec![entry.clone()] };
    let fields = Fields::new(&only, &keys::ROOT, "the file", span, findings);
    for (path, span) in fields.texts("include") {
        if above.iter().any(|p| p == path) {
            findings.push(Finding::new(span, format!("`{path}` includes itself")));
            continue;
        }
        if above.len() >= DEEPEST_INCLUDE {
            let message = format!("files include one another more than {DEEPEST_INCLUDE} deep");
            findings.push(Finding::new(span, message));
            continue;
        }
        let Some(text) = library.text(path, span, findings) else { continue };
        let parsed = tree::parse_at(text.base, &text.text);
        match parsed {
            Ok(mut table) => {
                if let Some((folder, _)) = path.rsplit_once('/') {
                    paths::rebase(&mut table, &keys::ROOT, folder);
                }
                above.push(path.to_owned());
                include(&mut table, library, findings, above);
                above.pop();
                root.fill_from(table);
            }
            Err(wrong) => {
                for finding in wrong {
                    findings.push(finding.label(span, "it is included here"));
                }
            }
        }
    }
}

/// Applies `--set` and `--seed`; the paths that were set and where they stand.
fn set_all(
    root: &mut Table,
    sets: &[(String, String)],
    seed: Option<u64>,
    library: &Library<'_>,
    findings: &Findings,
) -> Vec<(Vec<String>, Span)> {
    let lines: Vec<String> = sets.iter().map(|(path, value)| format!("{path}={value}")).collect();
    let mut base = library.sources.borrow_mut().add("--set", &lines.join("\n"));
    let mut paths = Vec::new();
    for (path, value) in sets {
        let key_span = Span::at(base, 0..path.len());
        let node = tree::parse_value(base + path.len() + 1, value);
        base += path.len() + value.len() + 2;
        match paths::split(path) {
            Some(parts) => {
                if paths::check(root, &parts, path, key_span, paths::Where::CommandLine, findings) {
                    root.put_at(&parts, key_span, node);
                    paths.push((parts, key_span));
                }
            }
            None => findings.push(paths::unreadable(path, key_span)),
        }
    }
    if let Some(seed) = seed {
        let base = library.sources.borrow_mut().add("--seed", &seed.to_string());
        let span = Span::at(base, 0..seed.to_string().len());
        if seed > LARGEST_SEED {
            let finding = Finding::new(span, format!("{seed} is too large for a seed"));
            findings.push(finding.help(format!("at most {LARGEST_SEED}")));
        }
        let node = Node { span, value: Value::Integer(seed.to_string()) };
        root.put(Entry { key: "seed".to_owned(), key_span: span, node });
    }
    paths
}

/// Resolves the base and every variant. What is found is left in `findings`.
fn resolve_all(file: &ScenarioFile, library: &Library<'_>, findings: &Findings) -> Vec<Scenario> {
    let cases = variants::cases(&file.root, findings);
    let variants: Vec<String> = cases.iter().map(|plan| plan.name.clone()).collect();
    let case = |variant, settings| Case {
        name: &file.name,
        question: &file.question,
        variant,
        settings,
        variants: &variants,
    };
    let mut of_base: Option<Vec<Finding>> = None;
    let mut scenarios = Vec::new();
    let mut rows = 0;
    for plan in &cases {
        // Each variant is judged by itself, so that a mistake in one hides none in another.
        let own = Findings::default();
        let root = plan.apply(&file.root);
        let cx = Context { root: &root, library, findings: &own };
        match resolve::scenario(cx, case(&plan.name, &plan.settings)) {
            Some((scenario, _)) => {
                rows += history_rows(&scenario);
                scenarios.push(scenario);
            }
            // Never silently: a variant that cannot be had is a mistake of somebody.
            None if own.is_empty() => {
                let message = format!("variant `{}` cannot be made", plan.name);
                own.push(Finding::new(file.root.span, message));
            }
            None => {}
        }
        let own = own.take();
        if !own.is_empty() {
            // A mistake that the base makes too is none of a variant's.
            let of_base = of_base.get_or_insert_with(|| {
                let base = Findings::default();
                let cx = Context { root: &file.root, library, findings: &base };
                resolve::scenario(cx, case("base", &[]));
                base.take()
            });
            for finding in own {
                let shared = of_base.iter().any(|f| f.same(&finding));
                findings.push(if shared { finding } else { plan.explain(finding) });
            }
        }
        if rows > limits::MOST_ROWS_OF_ALL {
            let finding = Finding::new(file.root.span, "all variants' WAL histories are too long");
            findings.push(finding.help("at most 10,000,000 rows together"));
            return Vec::new();
        }
    }
    scenarios
}

fn history_rows(scenario: &Scenario) -> usize {
    use crate::workload::{Load, WalProfile};
    let rows = |load: &Load| match load {
        Load::Wal { profile: WalProfile::History(points), .. } => points.len(),
        _ => 0,
    };
    scenario.workloads.iter().map(|w| rows(&w.load)).sum()
}
