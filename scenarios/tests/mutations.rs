//! No text whatever makes the parser panic or hang: the catalogue's files with bytes, lines and
//! words changed at random, and texts made to be nasty.

use models::units::Die;
use scenarios::{ScenarioFile, catalog};

/// How many texts are tried.
const MUTATIONS: u64 = 20_000;

/// Words that the format knows, to be put where they do not belong.
const WORDS: [&str; 32] = [
    "[server.pg1]",
    "[postgresql]",
    "[expect]",
    "[matrix]",
    "[variant.x]",
    "[fault.x]",
    "upstream",
    "'pg1'",
    "'pg2'",
    "=",
    "'10s'",
    "'1GB'",
    "'4000/s'",
    "0",
    "-1",
    "1e99",
    "nan",
    "{",
    "}",
    "[",
    "]",
    "'",
    "\"",
    "\n",
    "#",
    "between",
    "kind = 'crash'",
    "set = { ",
    "'9999999999d'",
    "é",
    "\0",
    "18446744073709551615",
];

struct Mutator {
    die: Die,
}

impl Mutator {
    fn below(&mut self, n: usize) -> usize {
        (self.die.throw() % (n.max(1) as u64)) as usize
    }

    fn mutate(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        for _ in 0..=self.below(4) {
            text = match self.below(6) {
                0 => self.change_byte(&text),
                1 => self.drop_line(&text),
                2 => self.copy_line(&text),
                3 => self.insert_word(&text),
                4 => self.swap_values(&text),
                _ => self.cut(&text),
            };
        }
        text
    }

    fn change_byte(&mut self, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        if !bytes.is_empty() {
            let at = self.below(bytes.len());
            bytes[at] = self.below(256) as u8;
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn drop_line(&mut self, text: &str) -> String {
        let mut lines: Vec<&str> = text.lines().collect();
        if !lines.is_empty() {
            lines.remove(self.below(lines.len()));
        }
        lines.join("\n")
    }

    fn copy_line(&mut self, text: &str) -> String {
        let mut lines: Vec<&str> = text.lines().collect();
        if !lines.is_empty() {
            let line = lines[self.below(lines.len())];
            lines.insert(self.below(lines.len()), line);
        }
        lines.join("\n")
    }

    fn insert_word(&mut self, text: &str) -> String {
        let mut at = self.below(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        let word = WORDS[self.below(WORDS.len())];
        format!("{}{word}{}", &text[..at], &text[at..])
    }

    /// Gives one key the value of another.
    fn swap_values(&mut self, text: &str) -> String {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let keys: Vec<usize> = (0..lines.len()).filter(|i| lines[*i].contains('=')).collect();
        if keys.is_empty() {
            return text.to_owned();
        }
        let (to, from) = (keys[self.below(keys.len())], keys[self.below(keys.len())]);
        let value = lines[from].split_once('=').map_or("", |(_, v)| v).to_owned();
        let key = lines[to].split_once('=').map_or("", |(k, _)| k).to_owned();
        lines[to] = format!("{key}={value}");
        lines.join("\n")
    }

    fn cut(&mut self, text: &str) -> String {
        let keep = self.below(text.len() + 1);
        text.char_indices().take_while(|(i, _)| *i < keep).map(|(_, c)| c).collect()
    }
}

/// Parses, and plays with what comes out. Neither may panic.
fn try_text(name: &str, text: &str, read: &mut dyn FnMut(&str) -> Result<String, String>) -> bool {
    match ScenarioFile::parse(name, text, read) {
        Ok(file) => {
            let scenarios = file.variants().expect("a file without mistakes");
            assert!(!scenarios.is_empty() && scenarios.len() <= 200, "{text}");
            for scenario in scenarios {
                assert_eq!(scenario.servers[scenario.primary()].upstream, None);
            }
            true
        }
        Err(problems) => {
            let report = problems.report();
            assert!(!report.is_empty() && !problems.to_string().is_empty(), "{text}");
            let places: Vec<_> = report.iter().map(|p| (p.line, p.column)).collect();
            assert!(places.iter().all(|(line, column)| *line >= 1 && *column >= 1), "{text}");
            false
        }
    }
}

#[test]
fn no_mutation_of_the_catalogue_makes_it_panic() {
    let mut mutator = Mutator { die: Die::new(1, "mutation", "catalogue") };
    // The recorded history is long, and its text is not what is changed here.
    let history = "now,lsn\n2026-01-01 00:00:00+00,0/3000000\n2026-01-01 01:00:00+00,1/0\n";
    let mut good = 0u64;
    for n in 0..MUTATIONS {
        let entry = &catalog::all()[(n % catalog::all().len() as u64) as usize];
        let text = mutator.mutate(entry.text);
        let mut read = |path: &str| {
            if path.ends_with(".csv") { Ok(history.to_owned()) } else { entry.read(path) }
        };
        good += u64::from(try_text(entry.name, &text, &mut read));
    }
    // Enough of them have to pass the parser for the rest of it to be tried.
    assert!(good > MUTATIONS / 20, "{good}");
}

#[test]
fn files_that_a_scenario_reads_cannot_make_it_panic_either() {
    let entry = catalog::find("basics/from_production").expect("in the catalogue");
    let mut mutator = Mutator { die: Die::new(2, "mutation", "files") };
    for _ in 0..2_000 {
        let mut read = |path: &str| {
            let text = entry.read(path)?;
            let short: String = text.lines().take(60).collect::<Vec<_>>().join("\n");
            Ok(mutator.mutate(&short))
        };
        try_text(entry.name, entry.text, &mut read);
    }
}

#[test]
fn nasty_texts_are_refused_in_good_time() {
    let deep_key = format!("{}x = 1", "a.".repeat(100_000));
    let deep_lists = format!("a = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    let nested = format!("{}1{}", "a = { b = ".repeat(5_000), " }".repeat(5_000));
    let deep_lines = format!("x = {}1", format!("{{ {}z =\n", "a.".repeat(60)).repeat(79));
    let many_servers: String = (0..50_000).map(|i| format!("[server.s{i}]\n")).collect();
    let many_keys: String = (0..50_000).map(|i| format!("key{i} = 1\n")).collect();
    let settings: String = (0..50_000).map(|i| format!("x.y{i} = 1\n")).collect();
    let settings = format!("duration = '1s'\n[server.a]\n[postgresql]\n{settings}");
    let axes: String = (0..50_000).map(|i| format!("'server.a.replay{i}' = [1]\n")).collect();
    let axes = format!("duration = '1s'\n[server.a]\n[matrix]\n{axes}");
    let values =
        format!("duration = '1s'\n[server.a]\n[matrix]\nduration = [{}]", "1,".repeat(50_000));
    let expectations: String = (0..50_000).map(|i| format!("'a.b{i}' = 1\n")).collect();
    let expectations = format!("[expect]\n{expectations}");
    let sites: String = (0..50_000).map(|_| "'pg1',").collect();
    let sites = format!("[link.a]\nbetween = [{sites}]");
    let long_name = format!("[server.{}]", "a".repeat(1_000_000));
    let long_word = format!("{} = 1", "a".repeat(1_000_000));
    let large = "# nothing\n".repeat(500_000);
    for text in [
        "",
        "\0",
        "\u{feff}",
        "=",
        "[",
        "[[server]]",
        "[server]\npg1 = 1",
        "a = 1\n[a]",
        &deep_key,
        &deep_lists,
        &nested,
        &deep_lines,
        &many_servers,
        &many_keys,
        &settings,
        &axes,
        &values,
        &expectations,
        &sites,
        &long_name,
        &long_word,
        &large,
    ] {
        let started = std::time::Instant::now();
        let good = try_text("nasty", text, &mut |_| Err("none".to_owned()));
        let shown: String = text.chars().take(40).collect();
        assert!(!good, "{shown}");
        assert!(started.elapsed().as_secs() < 60, "{shown}");
    }
}

#[test]
fn paths_and_values_of_the_command_line_cannot_make_it_panic() {
    let file = catalog::find("sync/five_levels").expect("there").parse().expect("good");
    let mut mutator = Mutator { die: Die::new(3, "mutation", "sets") };
    for _ in 0..2_000 {
        let path = mutator.mutate("server.pg2.disk.fsync.p50");
        let value = mutator.mutate("{ p50 = '1ms', max = '2ms' }");
        if let Err(problems) = file.with(&[(path, value)], Some(mutator.die.throw())) {
            assert!(!problems.to_string().is_empty());
        }
    }
}
