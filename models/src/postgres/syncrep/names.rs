//! `synchronous_standby_names`: the one setting with a grammar of its own.
//!
//! The setting is either a plain list of names, which means "the first of these that is there",
//! or a number and a list in parentheses, optionally behind `FIRST` or `ANY`. PostgreSQL reads
//! it with a small scanner and a small grammar, and so do we: the scanner cuts the text into
//! words, and every error message quotes the word at which the grammar gave up, exactly as the
//! scanner last saw it. That is why a misplaced quoted name is reported as `near """`: the last
//! thing the scanner matched of it was its closing quote. The number goes through C's `atoi`,
//! so that 2147483648 standbys are refused as -2147483648 and 4294967297 are taken for one.
//!
//! What the grammar accepts is then only counted and compared: a name is a string to be found,
//! without regard to case, in the standbys' `application_name`, and `*`, quoted or not, is the
//! string that equals any other.
//!
//! **Source.** `syncrep_scanner.l`, `syncrep_gram.y`, `syncrep.c:check_synchronous_standby_names`
//! and `SyncRepGetStandbyPriority`; the same in 13 to 18. The manual's section 20.6.1.
//!
//! **Not modelled.** How `application_name` got its value (cut to 63 bytes, non-ASCII bytes
//! replaced): the caller compares what `pg_stat_replication` shows. Letters beyond ASCII compare
//! by their bytes, as they do in a UTF-8 database.

use std::borrow::Cow;

/// The first word of the setting: how many of the listed standbys a commit waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Method {
    /// `FIRST n`, and what a plain list means: the n present standbys named earliest
    /// (`SYNC_REP_PRIORITY`).
    #[default]
    First,
    /// `ANY n`: whichever n answer first (`SYNC_REP_QUORUM`).
    Any,
}

/// A value of `synchronous_standby_names` that was accepted (`SyncRepConfigData`).
///
/// Invariant: `number` is 1 or more, unless `names` is empty and nothing waits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StandbyNames {
    pub(super) method: Method,
    pub(super) number: u32,
    names: Vec<String>,
}

/// Why a value of `synchronous_standby_names` is refused, in PostgreSQL's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StandbyNamesError {
    /// The text is not in the grammar.
    #[error("invalid value for parameter \"synchronous_standby_names\": \"{value}\"")]
    Syntax {
        /// The whole value, as it was given.
        value: String,
        /// The DETAIL line: what is wrong and near which word.
        detail: String,
    },
    /// The text is in the grammar, but its number is not above zero once `atoi` has read it.
    #[error("number of synchronous standbys ({0}) must be greater than zero")]
    Number(i32),
}

impl StandbyNamesError {
    /// The DETAIL line under the message, if there is one.
    pub fn detail(&self) -> Option<&str> {
        match self {
            StandbyNamesError::Syntax { detail, .. } => Some(detail),
            StandbyNamesError::Number(_) => None,
        }
    }

    /// The five characters of the SQLSTATE.
    pub fn sqlstate(&self) -> &'static str {
        match self {
            StandbyNamesError::Syntax { .. } => "42601",
            StandbyNamesError::Number(_) => "22023",
        }
    }
}

impl StandbyNames {
    /// Reads a value of the setting (`check_synchronous_standby_names`). The empty string, and
    /// only it, means that no standby is synchronous; blanks alone are a syntax error.
    pub fn parse(text: &str) -> Result<StandbyNames, StandbyNamesError> {
        // PostgreSQL's strings end at the first zero byte.
        let text = text.split('\0').next().unwrap_or_default();
        if text.is_empty() {
            return Ok(StandbyNames::default());
        }
        let parsed = Parser::new(text).and_then(Parser::config);
        let (method, digits, names) = parsed
            .map_err(|detail| StandbyNamesError::Syntax { value: text.to_owned(), detail })?;
        match atoi(digits) {
            number if number > 0 => {
                Ok(StandbyNames { method, number: number.unsigned_abs(), names })
            }
            number => Err(StandbyNamesError::Number(number)),
        }
    }

    /// Whether no standby is named, so that no commit waits for one.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// `FIRST` or `ANY`.
    pub fn method(&self) -> Method {
        self.method
    }

    /// `num_sync`: how many standbys a commit waits for, 1 to 2147483647, perhaps more than are
    /// listed; 0 if none is named.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The names in the order given, case kept, quotes removed.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// `sync_priority` of a standby that calls itself `application_name`: the place, from 1, of
    /// the first name that matches, 1 for any match under `ANY`, 0 if none does. A walsender of
    /// a server in recovery has priority 0 whatever this says.
    pub fn priority(&self, application_name: &str) -> u32 {
        let matches = |name: &String| name == "*" || name.eq_ignore_ascii_case(application_name);
        let Some(place) = self.names.iter().position(matches) else { return 0 };
        match self.method {
            Method::First => u32::try_from(place).unwrap_or(u32::MAX).saturating_add(1),
            Method::Any => 1,
        }
    }
}

/// The C library's `atoi` on a 64-bit machine, for digits: a `long` that stops at its largest
/// value, of which the low 32 bits are kept.
fn atoi(digits: &str) -> i32 {
    let long = digits.bytes().fold(0i64, |sum, digit| {
        sum.saturating_mul(10).saturating_add(i64::from(digit.saturating_sub(b'0')))
    });
    long as i32
}

/// What the scanner tells the grammar of one word.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token<'a> {
    Any,
    First,
    Name(Cow<'a, str>),
    Number(&'a str),
    Comma,
    Open,
    Close,
    /// A character no rule knows.
    Junk,
    /// A quote that is never closed.
    Unterminated,
    End,
}

/// `syncrep_scanner.l`: the text not yet read.
struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    /// The next word, and what the scanner would quote of it (`yytext`).
    fn next(&mut self) -> (Token<'a>, &'a str) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r', '\x0c', '\x0b']);
        let Some(first) = self.rest.chars().next() else { return (Token::End, "") };
        match first {
            '"' => self.quoted(),
            '0'..='9' => {
                let digits = self.take_while(|c| c.is_ascii_digit());
                (Token::Number(digits), digits)
            }
            // Every byte from 0x80 on may stand in a name, hence every character beyond ASCII.
            c if c.is_ascii_alphabetic() || c == '_' || !c.is_ascii() => {
                let continues =
                    |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii();
                let word = self.take_while(continues);
                if word.eq_ignore_ascii_case("any") {
                    (Token::Any, word)
                } else if word.eq_ignore_ascii_case("first") {
                    (Token::First, word)
                } else {
                    (Token::Name(Cow::Borrowed(word)), word)
                }
            }
            other => {
                let (text, rest) = self.rest.split_at(other.len_utf8());
                self.rest = rest;
                let token = match other {
                    '*' => Token::Name(Cow::Borrowed("*")),
                    ',' => Token::Comma,
                    '(' => Token::Open,
                    ')' => Token::Close,
                    _ => Token::Junk,
                };
                (token, text)
            }
        }
    }

    /// The longest run of characters that `belong`.
    fn take_while(&mut self, belong: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !belong(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    /// A name in double quotes, in which a doubled quote stands for one.
    fn quoted(&mut self) -> (Token<'a>, &'a str) {
        let inside = &self.rest[1..];
        let mut from = 0;
        while let Some(found) = inside[from..].find('"') {
            let quote = from + found;
            if inside[quote + 1..].starts_with('"') {
                from = quote + 2;
                continue;
            }
            self.rest = &inside[quote + 1..];
            let raw = &inside[..quote];
            let name = if raw.contains('"') {
                Cow::Owned(raw.replace("\"\"", "\""))
            } else {
                Cow::Borrowed(raw)
            };
            // The scanner matched the name in pieces, the closing quote last.
            return (Token::Name(name), &inside[quote..=quote]);
        }
        self.rest = "";
        (Token::Unterminated, "")
    }
}

/// `syncrep_gram.y`: the word that decides what comes next, and the scanner behind it.
struct Parser<'a> {
    scanner: Scanner<'a>,
    token: Token<'a>,
    /// What an error at `token` quotes.
    text: &'a str,
}

/// Method, the digits of the number, names.
type Config<'a> = (Method, &'a str, Vec<String>);

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Result<Parser<'a>, String> {
        let mut parser = Parser { scanner: Scanner { rest: text }, token: Token::End, text: "" };
        parser.advance()?;
        Ok(parser)
    }

    /// `standby_config`, and nothing behind it.
    fn config(mut self) -> Result<Config<'a>, String> {
        let (method, digits, names) = match self.token.clone() {
            Token::Any => self.counted(Method::Any)?,
            Token::First => self.counted(Method::First)?,
            // A number is a count if a list in parentheses follows, else it is a name.
            Token::Number(digits) => {
                self.advance()?;
                if self.token == Token::Open {
                    (Method::First, digits, self.parenthesised()?)
                } else {
                    (Method::First, "1", self.list_after(digits.to_owned())?)
                }
            }
            _ => (Method::First, "1", self.list()?),
        };
        if self.token == Token::End { Ok((method, digits, names)) } else { self.error() }
    }

    /// `ANY` or `FIRST`, the number, the list.
    fn counted(&mut self, method: Method) -> Result<Config<'a>, String> {
        self.advance()?;
        let Token::Number(digits) = self.token else { return self.error() };
        self.advance()?;
        Ok((method, digits, self.parenthesised()?))
    }

    fn parenthesised(&mut self) -> Result<Vec<String>, String> {
        if self.token != Token::Open {
            return self.error();
        }
        self.advance()?;
        let names = self.list()?;
        if self.token != Token::Close {
            return self.error();
        }
        self.advance()?;
        Ok(names)
    }

    /// `standby_list`.
    fn list(&mut self) -> Result<Vec<String>, String> {
        let first = self.name()?;
        self.list_after(first)
    }

    /// The rest of a list of which the first name has been read.
    fn list_after(&mut self, first: String) -> Result<Vec<String>, String> {
        let mut names = vec![first];
        while self.token == Token::Comma {
            self.advance()?;
            names.push(self.name()?);
        }
        Ok(names)
    }

    /// `standby_name`: a name or a number.
    fn name(&mut self) -> Result<String, String> {
        let name = match &self.token {
            Token::Name(name) => name.clone().into_owned(),
            Token::Number(digits) => (*digits).to_owned(),
            Token::Any | Token::First | Token::Comma | Token::Open | Token::Close => {
                return self.error();
            }
            Token::Junk | Token::Unterminated | Token::End => return self.error(),
        };
        self.advance()?;
        Ok(name)
    }

    /// Reads the next word. An open quote is the scanner's own error, and the first one counts.
    fn advance(&mut self) -> Result<(), String> {
        (self.token, self.text) = self.scanner.next();
        match self.token {
            Token::Unterminated => Err(complaint("unterminated quoted identifier", self.text)),
            _ => Ok(()),
        }
    }

    fn error<T>(&self) -> Result<T, String> {
        Err(complaint("syntax error", self.text))
    }
}

/// `syncrep_yyerror`: the message and where it applies.
fn complaint(message: &str, text: &str) -> String {
    if text.is_empty() {
        format!("{message} at end of input")
    } else {
        format!("{message} at or near \"{text}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> StandbyNames {
        StandbyNames::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn detail(text: &str) -> String {
        let error = StandbyNames::parse(text).expect_err(text);
        assert_eq!(error.sqlstate(), "42601", "{text}");
        let message =
            format!("invalid value for parameter \"synchronous_standby_names\": \"{text}\"");
        assert_eq!(error.to_string(), message);
        error.detail().expect("a detail").to_owned()
    }

    #[test]
    fn every_form_of_the_setting_is_read() {
        use Method::{Any, First};
        for (text, method, number, names) in [
            ("", First, 0, &[][..]),
            ("s1", First, 1, &["s1"]),
            ("s1,s2 ,\ts3\n", First, 1, &["s1", "s2", "s3"]),
            ("2 (s1, s2)", First, 2, &["s1", "s2"]),
            ("fIrSt 2(s1,s2)", First, 2, &["s1", "s2"]),
            ("any 3 (s1)", Any, 3, &["s1"]),
            ("1", First, 1, &["1"]),
            ("1, 2", First, 1, &["1", "2"]),
            ("ANY 1 (2, 3)", Any, 1, &["2", "3"]),
            ("*", First, 1, &["*"]),
            ("\"*\"", First, 1, &["*"]),
            ("\"any\", \"FIRST\"", First, 1, &["any", "FIRST"]),
            ("\"\"", First, 1, &[""]),
            ("\"s\"\"1\"", First, 1, &["s\"1"]),
            ("\"\"\"\"", First, 1, &["\""]),
            (
                "\"a b,(\",s$1,_x,anyone,firsts",
                First,
                1,
                &["a b,(", "s$1", "_x", "anyone", "firsts"],
            ),
            ("zürich", First, 1, &["zürich"]),
            ("FIRST 99999999999 (s1)", First, 1_215_752_191, &["s1"]),
            ("FIRST 4294967297 (s1)", First, 1, &["s1"]),
            ("FIRST 0001 (s1)", First, 1, &["s1"]),
        ] {
            let parsed = parse(text);
            assert_eq!((parsed.method(), parsed.number()), (method, number), "{text}");
            assert_eq!(parsed.names(), names, "{text}");
            assert_eq!(parsed.is_empty(), text.is_empty());
        }
    }

    #[test]
    fn every_error_quotes_the_word_postgresql_quotes() {
        for (text, near) in [
            ("s1 s2", "s2"),
            ("FIRST (s1)", "("),
            ("s-1", "-"),
            ("ANY 1 (s1), s2", ","),
            ("(s1)", "("),
            ("s1,,s2", ","),
            ("ANY 1.5 (s1)", "."),
            ("*s1", "s1"),
            ("s1;s2", ";"),
            ("1s", "s"),
            ("first, s1", ","),
            ("s1 \"s2\"", "\""),
            ("s1 \"s2", "unterminated"),
            ("s1 s2 \"s3", "s2"),
            ("ANY 1 (s1) x", "x"),
            ("s1, any", "any"),
            ("1 1 (s1)", "1"),
            ("FIRST -1 (s1)", "-"),
            ("ANY 0 (s1", "end"),
            ("s1 \u{1}", "\u{1}"),
            ("2 (s1", "end"),
            ("first", "end"),
            ("ANY 2", "end"),
            ("s1,", "end"),
            (" ", "end"),
            ("\"s1", "unterminated"),
            ("\"s1\"\"", "unterminated"),
        ] {
            let expected = match near {
                "end" => "syntax error at end of input".to_owned(),
                "unterminated" => "unterminated quoted identifier at end of input".to_owned(),
                word => format!("syntax error at or near \"{word}\""),
            };
            assert_eq!(detail(text), expected, "{text}");
        }
    }

    #[test]
    fn the_number_is_what_atoi_makes_of_it() {
        for (text, number) in [
            ("ANY 0 (s1)", 0),
            ("FIRST 0 (s1)", 0),
            ("0 (s1)", 0),
            ("FIRST 2147483648 (s1)", i32::MIN),
            ("FIRST 4294967296 (s1)", 0),
            ("FIRST 99999999999999999999 (s1)", -1),
        ] {
            let error = StandbyNames::parse(text).expect_err(text);
            let message =
                format!("number of synchronous standbys ({number}) must be greater than zero");
            assert_eq!((error.to_string(), error.detail()), (message, None), "{text}");
            assert_eq!(error.sqlstate(), "22023");
        }
    }

    #[test]
    fn priority_is_the_place_of_the_first_match() {
        for (text, name, priority) in [
            ("s1, s2", "s2", 2),
            ("s1, s2", "S2", 2),
            ("S1", "s1", 1),
            ("s1, s2", "s3", 0),
            ("s1, s2", "s", 0),
            ("*", "anything", 1),
            ("\"*\"", "anything", 1),
            ("s3, *", "s1", 2),
            ("*, s2", "s2", 1),
            ("FIRST 2 (s1, s1, s2)", "s2", 3),
            ("ANY 2 (s1, s2)", "s2", 1),
            ("ANY 2 (s1, s2)", "s3", 0),
            ("", "s1", 0),
            ("\"\"", "", 1),
        ] {
            assert_eq!(parse(text).priority(name), priority, "{text}: {name}");
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic() {
        let mut die = crate::units::Die::new(1, "text", "names");
        let letters = ["a", "any", "FIRST", "1", "(", ")", ",", "\"", "*", " ", "é", "\0", "-"];
        for _ in 0..20_000 {
            let length = die.throw() % 12;
            let pick = |n: u64| letters[(n % letters.len() as u64) as usize];
            let text: String = (0..length).map(|_| pick(die.throw())).collect();
            if let Ok(names) = StandbyNames::parse(&text) {
                assert_eq!(names.is_empty(), names.number() == 0, "{text}");
            }
        }
    }
}
