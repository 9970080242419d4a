//! Reads a server's `postgresql.conf` as the server itself does, with all its mistakes at once.
//!
//! A line is a name, an optional equals sign and a value; a value with anything but letters,
//! digits and a few signs must be quoted, with `''` or backslashes inside. `include`,
//! `include_if_exists` and `include_dir` are followed where they stand; nothing is read from disk
//! here, the caller hands over the text of other files. What the settings *mean* is not decided
//! here: names are not looked up, values are text, and the same name may come more than once,
//! whereof the last wins ([`PostgresqlConf::effective`]).
//!
//! **Source.** `guc-file.l` (tokens, `ParseConfigFp`, `ParseConfigFile`, `DeescapeQuotedString`)
//! and `conffiles.c` (`AbsoluteConfigLocation`, `GetConfFilesInDir`), PostgreSQL 13 to 18; error
//! texts from the logs of 13.23 and 18.4.
//!
//! **Not modelled.** `postgresql.auto.conf`, which the caller may read afterwards as one more
//! file. PostgreSQL names the line before for a mistake in a last line without a newline; we name
//! the line.

use std::collections::BTreeSet;
use std::fmt;

/// Where in which file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// As it was asked for from `read`, or as the caller called the first file.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "file \"{}\" line {}", self.file, self.line)
    }
}

/// One line that sets something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfSetting {
    /// As it was written; the case of its letters does not matter.
    pub name: String,
    /// Without quotes and escapes.
    pub value: String,
    /// Where it stands.
    pub place: Place,
}

/// A mistake, in PostgreSQL's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfError {
    /// The line is not a setting.
    #[error("syntax error in {place}, near {near}")]
    Syntax {
        /// Where it stands.
        place: Place,
        /// `token "x"`, or `end of line`.
        near: String,
    },
    /// A file has a hundred mistakes; the rest of it was not read.
    #[error("too many syntax errors found, abandoning file \"{}\"", place.file)]
    TooMany {
        /// The last mistake.
        place: Place,
    },
    /// An include names nothing.
    #[error("empty configuration {kind} name: \"\"")]
    EmptyName {
        /// The line of the include.
        place: Place,
        /// `file` or `directory`.
        kind: &'static str,
    },
    /// An included file or directory is not there.
    #[error("could not open configuration {kind} \"{path}\": No such file or directory")]
    Missing {
        /// The line of the include.
        place: Place,
        /// `file` or `directory`.
        kind: &'static str,
        /// What was asked for.
        path: String,
    },
    /// A file includes itself.
    #[error("configuration file recursion in \"{path}\"")]
    Recursion {
        /// The line of the include.
        place: Place,
        /// What was asked for.
        path: String,
    },
    /// Files include files too often, probably in a circle.
    #[error("could not open configuration file \"{path}\": maximum nesting depth exceeded")]
    TooDeep {
        /// The line of the include.
        place: Place,
        /// What was asked for.
        path: String,
    },
}

impl ConfError {
    /// Where the mistake is; for an include, its line.
    pub fn place(&self) -> &Place {
        match self {
            ConfError::Syntax { place, .. }
            | ConfError::TooMany { place }
            | ConfError::EmptyName { place, .. }
            | ConfError::Missing { place, .. }
            | ConfError::Recursion { place, .. }
            | ConfError::TooDeep { place, .. } => place,
        }
    }
}

/// What a configuration file and those it includes say, in the order in which it is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PostgresqlConf {
    /// Every line that sets something.
    pub settings: Vec<ConfSetting>,
    /// Every mistake. PostgreSQL applies nothing if there is one.
    pub errors: Vec<ConfError>,
}

impl PostgresqlConf {
    /// Reads `text`, which came from `file`.
    ///
    /// `read` gives the text of another file, `None` if there is none. Relative paths are taken
    /// from the directory of the including file. A path that ends in `/` is a directory: `read`
    /// gives the names of the files in it, one a line, in any order.
    pub fn read(
        file: &str,
        text: &str,
        read: &mut dyn FnMut(&str) -> Option<String>,
    ) -> PostgresqlConf {
        let mut reader = Reader { conf: PostgresqlConf::default(), read, files: 0 };
        reader.file(file, text, 0);
        reader.conf
    }

    /// The settings that are left when a later line beats an earlier one, in the order of the
    /// lines that won.
    pub fn effective(&self) -> Vec<&ConfSetting> {
        let mut names = BTreeSet::new();
        let last = self.settings.iter().rev();
        let mut last: Vec<_> = last.filter(|s| names.insert(s.name.to_ascii_lowercase())).collect();
        last.reverse();
        last
    }
}

/// `CONF_FILE_MAX_DEPTH`.
const MAX_DEPTH: usize = 10;
/// Mistakes after which a file is given up.
const MAX_ERRORS: usize = 100;
/// Included files after which no more are read; PostgreSQL has no such limit, and would take
/// very long where directories include one another.
const MAX_FILES: usize = 1000;

struct Reader<'a> {
    conf: PostgresqlConf,
    read: &'a mut dyn FnMut(&str) -> Option<String>,
    files: usize,
}

impl Reader<'_> {
    /// `ParseConfigFp`.
    fn file(&mut self, file: &str, text: &str, depth: usize) {
        let mut errors = 0;
        for (n, line) in text.split('\n').enumerate() {
            let place = Place { file: file.to_owned(), line: n + 1 };
            match Line::read(line) {
                Ok(None) => {}
                Ok(Some(Line { name, value })) => match name.to_ascii_lowercase().as_str() {
                    "include" => self.include(&value, place, depth, true),
                    "include_if_exists" => self.include(&value, place, depth, false),
                    "include_dir" => self.include_directory(&value, place, depth),
                    _ => self.conf.settings.push(ConfSetting { name, value, place }),
                },
                Err(near) => {
                    self.conf.errors.push(ConfError::Syntax { place: place.clone(), near });
                    errors += 1;
                    if errors >= MAX_ERRORS {
                        self.conf.errors.push(ConfError::TooMany { place });
                        return;
                    }
                }
            }
        }
    }

    /// `ParseConfigFile`.
    fn include(&mut self, path: &str, place: Place, depth: usize, is_required: bool) {
        if path.bytes().all(|byte| byte.is_ascii_whitespace()) {
            self.conf.errors.push(ConfError::EmptyName { place, kind: "file" });
            return;
        }
        if depth >= MAX_DEPTH {
            self.conf.errors.push(ConfError::TooDeep { place, path: path.to_owned() });
            return;
        }
        let path = resolve(&place.file, path);
        self.open(path, place, depth, is_required);
    }

    fn open(&mut self, path: String, place: Place, depth: usize, is_required: bool) {
        self.files += 1;
        if depth >= MAX_DEPTH || self.files > MAX_FILES {
            self.conf.errors.push(ConfError::TooDeep { place, path });
        } else if path == canonical(&place.file) {
            self.conf.errors.push(ConfError::Recursion { place, path });
        } else if let Some(text) = (self.read)(&path) {
            self.file(&path, &text, depth + 1);
        } else if is_required {
            self.conf.errors.push(ConfError::Missing { place, kind: "file", path });
        }
    }

    /// `ParseConfigDirectory`: files whose names end in `.conf` and do not begin with a dot, in
    /// the order of their bytes.
    fn include_directory(&mut self, path: &str, place: Place, depth: usize) {
        if path.bytes().all(|byte| byte.is_ascii_whitespace()) {
            self.conf.errors.push(ConfError::EmptyName { place, kind: "directory" });
            return;
        }
        let path = resolve(&place.file, path);
        let directory = if path.ends_with('/') { path.clone() } else { format!("{path}/") };
        let Some(listing) = (self.read)(&directory) else {
            self.conf.errors.push(ConfError::Missing { place, kind: "directory", path });
            return;
        };
        let is_conf = |name: &&str| {
            name.len() > ".conf".len() && name.ends_with(".conf") && !name.starts_with('.')
        };
        let mut names: Vec<_> = listing.lines().filter(is_conf).collect();
        names.sort_unstable();
        for name in names {
            self.open(format!("{directory}{name}"), place.clone(), depth, true);
        }
    }
}

/// `AbsoluteConfigLocation`: beside the including file, unless it is absolute.
fn resolve(including: &str, path: &str) -> String {
    match including.rfind('/') {
        Some(slash) if !path.starts_with('/') => {
            canonical(&format!("{}/{path}", &including[..slash]))
        }
        _ => canonical(path),
    }
}

/// `canonicalize_path`: without `.`, `..` and doubled slashes, as far as the text tells.
fn canonical(path: &str) -> String {
    let root = if path.starts_with('/') { "/" } else { "" };
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if !root.is_empty() => {}
            _ => parts.push(part),
        }
    }
    format!("{root}{}", parts.join("/"))
}

/// A line that says something.
struct Line {
    name: String,
    value: String,
}

impl Line {
    /// `None` for a line without any token; else what a mistake is near to.
    fn read(line: &str) -> Result<Option<Line>, String> {
        let mut tokens = Tokens { rest: line };
        let near = |token: Option<Token>| match token {
            Some(token) => format!("token \"{}\"", token.text),
            None => "end of line".to_owned(),
        };
        let name = match tokens.next() {
            None => return Ok(None),
            Some(Token { kind: Kind::Id | Kind::QualifiedId, text }) => text.to_owned(),
            other => return Err(near(other)),
        };
        let mut token = tokens.next();
        if matches!(token, Some(Token { kind: Kind::Equals, .. })) {
            token = tokens.next();
        }
        let value = match token {
            Some(Token { kind: Kind::String, text }) => unquote(text),
            Some(Token { kind: Kind::Id | Kind::Unquoted | Kind::Number, text }) => text.to_owned(),
            other => return Err(near(other)),
        };
        match tokens.next() {
            None => Ok(Some(Line { name, value })),
            other => Err(near(other)),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Id,
    /// Two names with a dot between; not a value unless quoted.
    QualifiedId,
    Unquoted,
    String,
    Number,
    Equals,
    Error,
}

struct Token<'a> {
    kind: Kind,
    text: &'a str,
}

/// The tokens of one line; no token spans two.
struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r']);
        let first = self.rest.bytes().next().filter(|byte| *byte != b'#')?;
        let (kind, length) = match first {
            b'=' => (Kind::Equals, 1),
            b'\'' => quoted(self.rest.as_bytes()).map_or((Kind::Error, 1), |n| (Kind::String, n)),
            b'+' | b'-' | b'.' | b'0'..=b'9' => match number(self.rest.as_bytes()) {
                0 => (Kind::Error, 1),
                length => (Kind::Number, length),
            },
            byte if is_letter(byte) => word(self.rest.as_bytes()),
            _ => (Kind::Error, 1),
        };
        // Every letter beyond ASCII is part of a word, so that a token ends between characters.
        let (text, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(Token { kind, text })
    }
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn is_letter_or_digit(byte: u8) -> bool {
    is_letter(byte) || byte.is_ascii_digit()
}

fn count(bytes: &[u8], fits: impl Fn(u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| fits(**byte)).count()
}

/// `ID`, `QUALIFIED_ID` or `UNQUOTED_STRING`: whichever is longest.
fn word(text: &[u8]) -> (Kind, usize) {
    let length = count(text, |byte| is_letter_or_digit(byte) || b"-._:/".contains(&byte));
    let is_id = |part: &[u8]| {
        part.first().is_some_and(|byte| is_letter(*byte))
            && part.iter().all(|byte| is_letter_or_digit(*byte))
    };
    let mut parts = text[..length].split(|byte| *byte == b'.');
    let kind = match (parts.next(), parts.next(), parts.next()) {
        (Some(id), None, None) if is_id(id) => Kind::Id,
        (Some(class), Some(id), None) if is_id(class) && is_id(id) => Kind::QualifiedId,
        _ => Kind::Unquoted,
    };
    (kind, length)
}

/// The length of `INTEGER` (with a unit) or `REAL` (without), whichever is longer; 0 for neither.
fn number(text: &[u8]) -> usize {
    let sign = usize::from(matches!(text.first(), Some(b'+' | b'-')));
    let text = &text[sign..];
    let digits = count(text, |byte| byte.is_ascii_digit());
    let mut integer = match text {
        [b'0', b'x', digit, ..] if digit.is_ascii_hexdigit() => {
            2 + count(&text[2..], |byte| byte.is_ascii_hexdigit())
        }
        _ => digits,
    };
    if integer > 0 {
        integer += count(&text[integer..], |byte| byte.is_ascii_alphabetic());
    }
    let mut real = 0;
    if text.get(digits) == Some(&b'.') {
        real = digits + 1 + count(&text[digits + 1..], |byte| byte.is_ascii_digit());
        if let [b'e' | b'E', exponent @ ..] = &text[real..] {
            let sign = usize::from(matches!(exponent.first(), Some(b'+' | b'-')));
            let digits = count(&exponent[sign..], |byte| byte.is_ascii_digit());
            real += if digits > 0 { 1 + sign + digits } else { 0 };
        }
    }
    match integer.max(real) {
        0 => 0,
        length => sign + length,
    }
}

/// The length of `STRING`; `None` if the quote is never closed. A doubled quote that is not
/// closed later closes the string after all: the longest match is the one that counts.
fn quoted(text: &[u8]) -> Option<usize> {
    let (mut at, mut longest) = (1, None);
    loop {
        match text.get(at..) {
            Some([b'\'', b'\'', ..]) => {
                longest = Some(at + 1);
                at += 2;
            }
            Some([b'\'', ..]) => return Some(at + 1),
            Some([b'\\', _, ..]) => at += 2,
            Some([b'\\'] | []) | None => return longest,
            Some(_) => at += 1,
        }
    }
}

/// `DeescapeQuotedString`: C's escapes, octal bytes, doubled quotes.
fn unquote(text: &str) -> String {
    let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or_default().as_bytes();
    let (mut value, mut at) = (Vec::new(), 0);
    while let Some(byte) = inner.get(at) {
        at += 1;
        match (byte, inner.get(at)) {
            (b'\\', Some(b'0'..=b'7')) => {
                let digits = count(&inner[at..], |byte| (b'0'..=b'7').contains(&byte)).min(3);
                let octal = inner[at..at + digits].iter();
                // Three digits may be more than a byte: C keeps the low bits.
                let sum = octal.fold(0u8, |sum, d| sum.wrapping_mul(8).wrapping_add(d - b'0'));
                value.push(sum);
                at += digits;
            }
            (b'\\', Some(escaped)) => {
                value.push(match escaped {
                    b'b' => 0x08,
                    b'f' => 0x0c,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    other => *other,
                });
                at += 1;
            }
            (b'\'', Some(b'\'')) => {
                value.push(b'\'');
                at += 1;
            }
            (byte, _) => value.push(*byte),
        }
    }
    String::from_utf8_lossy(&value).into_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use models::postgres::PgVersion;
    use models::postgres::guc::Settings;
    use models::units::{Bytes, Duration};

    use super::*;

    /// Reads the first of `files`, which may include the others.
    fn read(files: &[(&str, &str)]) -> PostgresqlConf {
        let others: BTreeMap<_, _> = files.iter().copied().collect();
        let mut read = |path: &str| others.get(path).map(|text| (*text).to_owned());
        PostgresqlConf::read(files[0].0, files[0].1, &mut read)
    }

    fn settings(conf: &PostgresqlConf) -> Vec<String> {
        let show =
            |s: &ConfSetting| format!("{}:{} {}={}", s.place.file, s.place.line, s.name, s.value);
        conf.settings.iter().map(show).collect()
    }

    fn messages(conf: &PostgresqlConf) -> Vec<String> {
        conf.errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_production_file_gives_the_settings_its_server_had() {
        let text = include_str!("../../basics/production/postgresql.conf");
        let conf = read(&[("postgresql.conf", text)]);
        assert_eq!(conf.errors, []);
        let mut settings = Settings::defaults(PgVersion::new(15).expect("a version"));
        for ConfSetting { name, value, .. } in &conf.settings {
            assert_eq!(settings.set(name, value), Ok(()), "{name}");
        }
        assert_eq!(settings.check_start(), []);
        assert_eq!(settings.max_wal_size, Bytes::mb(512));
        assert_eq!(settings.checkpoint_timeout, Duration::s(150));
        assert_eq!(settings.wal_keep_size, Bytes::mb(512));
        assert_eq!(settings.max_slot_wal_keep_size, Some(Bytes::gb(8)));
        assert_eq!(settings.wal_buffers, Bytes::mb(8));
        assert!(settings.hot_standby_feedback);
        assert_eq!(settings.show("checkpoint_timeout").as_deref(), Some("150s"));
        let size = conf.effective().into_iter().filter(|s| s.name == "max_wal_size");
        assert_eq!(size.map(|s| s.value.as_str()).collect::<Vec<_>>(), ["512MB"]);
    }

    #[test]
    fn lines_are_read_as_the_server_reads_them() {
        let text = "# comment\n\
            work_mem = 4MB\n\
            WORK_MEM 5MB # trailing\r\n\
            \tlog_line_prefix='%m ''q'' \\t\\101\\q [%p] '#c\n\
            pg_stat_statements.max = 100\n\
            checkpoint_completion_target = .5\n\
            vacuum_cost_limit = +10\n\
            geqo_seed = -.5e-1\n\
            port = 0x1Fkb\n\
            log_directory = log/x.y:z\n\
            log_filename = 'a#b\u{e9}\\\u{e9}\\''\n\
            application_name = \u{e9}t\u{e9}\n\
            log_directory = ''";
        let conf = read(&[("c", text)]);
        assert_eq!(messages(&conf), [""; 0]);
        assert_eq!(
            settings(&conf),
            [
                "c:2 work_mem=4MB",
                "c:3 WORK_MEM=5MB",
                "c:4 log_line_prefix=%m 'q' \tAq [%p] ",
                "c:5 pg_stat_statements.max=100",
                "c:6 checkpoint_completion_target=.5",
                "c:7 vacuum_cost_limit=+10",
                "c:8 geqo_seed=-.5e-1",
                "c:9 port=0x1Fkb",
                "c:10 log_directory=log/x.y:z",
                "c:11 log_filename=a#b\u{e9}\u{e9}'",
                "c:12 application_name=\u{e9}t\u{e9}",
                "c:13 log_directory=",
            ]
        );
        let names: Vec<_> = conf.effective().iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names[..2], ["WORK_MEM", "log_line_prefix"]);
        assert_eq!(names.len(), 10);
    }

    #[test]
    fn every_mistake_is_named_with_its_line_as_in_the_servers_log() {
        for (line, near) in [
            ("a.b.c = 1", "token \"a.b.c\""),
            ("foo-bar = 1", "token \"foo-bar\""),
            ("wal_keep_size = 1.5GB", "token \"GB\""),
            ("random_page_cost = 1e5", "token \"5\""),
            ("vacuum_cost_limit == 10", "token \"=\""),
            ("vacuum_cost_limit =", "end of line"),
            ("vacuum_cost_limit # 3", "end of line"),
            ("= 3", "token \"=\""),
            ("'quoted' = 3", "token \"'quoted'\""),
            ("archive_command = cp -r", "token \"-\""),
            ("log_directory = /var/log", "token \"/\""),
            ("log_directory = 'abc'' def", "token \"'\""),
            ("log_directory = 'abc'' def' 'x'", "token \"'x'\""),
            ("log_directory = 'tail\\' x", "token \"'\""),
            ("search_path = a,b", "token \",\""),
            ("work_mem=7MB;", "token \";\""),
            ("include other.conf", "token \"other.conf\""),
        ] {
            let conf = read(&[("c", &format!("port = 1\n{line}\nport = 2\n"))]);
            assert_eq!(
                messages(&conf),
                [format!("syntax error in file \"c\" line 2, near {near}")]
            );
            assert_eq!(conf.settings.len(), 2, "{line}");
        }
        let conf = read(&[("c", &"=\n".repeat(1000))]);
        assert_eq!(conf.errors.len(), 101);
        assert_eq!(conf.errors[100].place().line, 100);
    }

    #[test]
    fn other_files_are_read_where_they_are_included() {
        let conf = read(&[
            (
                "/etc/pg/main.conf",
                "include 'sub/one.conf'\ninclude_if_exists none\nInclude_Dir = 'd'",
            ),
            ("/etc/pg/sub/one.conf", "port = 1\ninclude '../two.conf'\nport = 3"),
            ("/etc/pg/two.conf", "port = 2"),
            ("/etc/pg/d/", "b.conf\na.conf\n.hidden.conf\nA.conf\nnote.txt\n.conf\n"),
            ("/etc/pg/d/a.conf", "port = 5"),
            ("/etc/pg/d/A.conf", "port = 4"),
            ("/etc/pg/d/b.conf", "port = 6"),
        ]);
        assert_eq!(messages(&conf), [""; 0]);
        let values: Vec<_> = conf.settings.iter().map(|s| s.value.as_str()).collect();
        assert_eq!(values, ["1", "2", "3", "4", "5", "6"]);
        assert_eq!(conf.settings[1].place.to_string(), "file \"/etc/pg/two.conf\" line 1");
    }

    #[test]
    fn includes_that_lead_nowhere_are_mistakes_of_their_line() {
        let conf = read(&[
            (
                "main.conf",
                "include 'none.conf'\ninclude_dir 'd'\ninclude ''\ninclude_dir ' '\n\
                 include './main.conf'\ninclude 'a.conf'",
            ),
            ("a.conf", "include 'b.conf'\n"),
            ("b.conf", "include 'a.conf'\nport = 1"),
        ]);
        assert_eq!(
            messages(&conf),
            [
                "could not open configuration file \"none.conf\": No such file or directory",
                "could not open configuration directory \"d\": No such file or directory",
                "empty configuration file name: \"\"",
                "empty configuration directory name: \"\"",
                "configuration file recursion in \"main.conf\"",
                "could not open configuration file \"a.conf\": maximum nesting depth exceeded",
            ]
        );
        assert_eq!(conf.errors[4].place().line, 5);
        assert_eq!(conf.settings.len(), 5);
    }

    #[test]
    fn no_bytes_make_it_fail() {
        let pieces =
            ["'", "''", "\\", "=", " ", "a", "\u{e9}", "1", ".", "-", "0x", "e", "#", "\0"];
        for n in 0..pieces.len().pow(4) {
            let digits = [n, n / 14, n / 196, n / 2744].map(|digit| pieces[digit % 14]);
            let conf = read(&[("c", &format!("a = {}", digits.concat()))]);
            assert_eq!(conf.settings.len() + conf.errors.len(), 1);
        }
    }
}
