//! The report of a run in a browser without a network: what it shows is what `summary.json` and
//! `walden view` say, by keyboard and by pointer, with a script and without.
//!
//! Screenshots are left in `target/tmp/browser` for people to look at.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use browser::{Browser, Key};
use reports::human;
use serde_json::{Value, json};

/// A fault, slots, two variants.
const SITE_DOWN: &str = "faults/site_down";
/// Five variants that share the axes of most plots.
const FIVE_LEVELS: &str = "sync/five_levels";

fn room() -> PathBuf {
    let room = Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser");
    fs::create_dir_all(&room).expect("a folder can be made");
    room
}

/// Runs the program, and gives what it prints.
fn walden(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "-q", "-p", "walden", "--"]).args(arguments);
    let output = command.output().expect("cargo can be run");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it prints text")
}

/// The folder of a scenario's results. It is played once.
fn played(scenario: &str) -> PathBuf {
    static PLAYED: [OnceLock<PathBuf>; 2] = [OnceLock::new(), OnceLock::new()];
    let out = room().join(scenario.replace('/', "-"));
    let play = || {
        let _ = fs::remove_dir_all(&out);
        walden(&["run", scenario, "--quiet", "--out", &out.display().to_string()]);
        fs::canonicalize(out.join("runs/latest")).expect("there are results")
    };
    PLAYED[usize::from(scenario == FIVE_LEVELS)].get_or_init(play).clone()
}

fn summary(scenario: &str) -> Value {
    let text = fs::read_to_string(played(scenario).join("summary.json")).expect("a summary");
    serde_json::from_str(&text).expect("JSON")
}

/// A scenario's page in a browser of its own.
struct Page {
    browser: Browser,
    address: String,
}

impl Page {
    fn open(test: &str, scenario: &str) -> Page {
        let browser = Browser::start(&room().join(test)).unwrap_or_else(|error| panic!("{error}"));
        browser.resize(1280, 1000).expect("a window");
        let address = format!("file://{}", played(scenario).join("report.html").display());
        let page = Page { browser, address };
        page.go("");
        page
    }

    fn go(&self, fragment: &str) {
        let address = format!("{}{fragment}", self.address);
        self.browser.open(&address).unwrap_or_else(|error| panic!("{error}"));
    }

    fn get(&self, expression: &str) -> Value {
        let script = format!("return ({expression});");
        self.browser.run(&script).unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    fn text(&self, expression: &str) -> String {
        self.get(expression)
            .as_str()
            .unwrap_or_else(|| panic!("{expression} is no text"))
            .to_owned()
    }

    fn number(&self, expression: &str) -> f64 {
        let number = self.get(expression);
        number.as_f64().unwrap_or_else(|| panic!("{expression} is no number: {number}"))
    }

    fn texts(&self, expression: &str) -> Vec<String> {
        let value = self.get(expression);
        let texts = value.as_array().unwrap_or_else(|| panic!("{expression} is no list: {value}"));
        texts.iter().map(|text| text.as_str().unwrap_or_default().to_owned()).collect()
    }

    /// The middle of an element, which is scrolled to.
    fn middle(&self, selector: &str) -> (f64, f64) {
        let script = format!(
            "(() => {{ const e = document.querySelector({}); \
             e.scrollIntoView({{block: 'center'}}); \
             const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; \
             }})()",
            json!(selector)
        );
        let at = self.get(&script);
        (at[0].as_f64().expect("a number"), at[1].as_f64().expect("a number"))
    }

    fn click(&self, selector: &str) {
        self.browser.click(self.middle(selector)).unwrap_or_else(|e| panic!("{selector}: {e}"));
    }

    fn press(&self, key: Key) {
        self.browser.press(key).unwrap_or_else(|error| panic!("{key:?}: {error}"));
    }

    fn focus(&self, selector: &str) {
        self.get(&format!("document.querySelector({}).focus()", json!(selector)));
    }

    /// Where each plot's cursor is, as a share of its axis, by the numbers on the axis.
    fn cursors(&self) -> Vec<f64> {
        let cursors = self.get(
            "[...document.querySelectorAll('[data-plot]')].map((figure) => { \
             const plot = JSON.parse(document.getElementById('data').textContent) \
                 .plots[figure.dataset.plot]; \
             if (!plot || plot.places.length) return null; \
             const lines = figure.querySelectorAll('line.cursor'); \
             const x = Number(lines[0].getAttribute('x1')); \
             return lines.length === 1 ? (x - plot.area[0]) / (plot.area[1] - plot.area[0]) : NaN; \
             }).filter((x) => x !== null)",
        );
        let cursors = cursors.as_array().expect("a list");
        cursors.iter().map(|x| x.as_f64().expect("each plot has one cursor")).collect()
    }

    /// The panel's table of a view: its moment in seconds, the names of columns, the rows.
    fn view(&self, name: &str) -> (String, Vec<Vec<String>>) {
        let table = format!("document.querySelector('table[data-view={name}]')");
        let caption = self.text(&format!("{table}.caption.textContent"));
        let at = caption.rsplit(" at ").next().expect("a moment").to_owned();
        let rows = self.get(&format!(
            "[...{table}.rows].map((row) => [...row.cells].map((cell) => cell.textContent))"
        ));
        let text = |cell: &Value| cell.as_str().unwrap_or_default().to_owned();
        let row = |row: &Value| row.as_array().expect("cells").iter().map(text).collect();
        (at, rows.as_array().expect("rows").iter().map(row).collect())
    }

    /// Nothing was asked of a network, and nothing went wrong.
    fn assert_quiet(&self) {
        let mut asked = BTreeSet::new();
        for entry in self.browser.log("performance").expect("a log") {
            let message = entry["message"].as_str().unwrap_or_default();
            let message: Value = serde_json::from_str(message).unwrap_or_default();
            if message["message"]["method"] == "Network.requestWillBeSent" {
                let request = &message["message"]["params"]["request"]["url"];
                let request = request.as_str().unwrap_or_default();
                asked.insert(request.split('#').next().unwrap_or_default().to_owned());
            }
        }
        // The browser's own pages, which it opens before ours, are in it.
        asked.retain(|url| !url.starts_with("chrome:") && !url.starts_with("data:image/gif"));
        assert_eq!(asked, BTreeSet::from([self.address.clone()]));
        let said = self.browser.log("browser").expect("a log");
        assert!(said.is_empty(), "{said:?}");
    }
}

/// A cell without what it notes.
const CELL: &str = "((cell) => { const c = cell.cloneNode(true); \
    c.querySelectorAll('.note').forEach((note) => note.remove()); \
    return c.textContent.replace('!\u{a0}', ''); })";

#[test]
fn the_comparison_shows_the_numbers_of_summary_json() {
    for scenario in [SITE_DOWN, FIVE_LEVELS] {
        let page = Page::open("numbers", scenario);
        let heads = page.texts(
            "[...document.querySelectorAll('#comparison thead th')].map((th) => th.textContent)",
        );
        let summary = summary(scenario);
        let variants = summary["variants"].as_array().expect("variants");
        for (n, variant) in variants.iter().enumerate() {
            let row = page.texts(&format!(
                "[...document.querySelectorAll('#comparison tbody tr')[{n}].cells].map({CELL})"
            ));
            let cell = |head: &str| {
                let column = heads.iter().position(|h| h == head).expect("a column");
                row[column].clone()
            };
            let millis = |value: &Value| {
                human::duration(human::nanos_of_millis(value.as_f64().expect("a number")))
            };
            let most = |list: &str, path: [&str; 2]| {
                let all = variant[list].as_array().expect("a list").iter();
                all.filter_map(|one| one[path[0]][path[1]].as_u64()).max().expect("a number")
            };
            let tps = variant["tps"].as_f64().expect("a number").round() as u64;
            assert_eq!(cell("variant"), variant["name"].as_str().expect("a name"));
            assert_eq!(cell("commits/s"), human::count(tps));
            assert_eq!(cell("p50"), millis(&variant["latency_ms"]["p50"]));
            assert_eq!(cell("p99"), millis(&variant["latency_ms"]["p99"]));
            assert_eq!(cell("slowest"), millis(&variant["latency_ms"]["max"]));
            assert_eq!(
                cell("worst lag, WAL"),
                human::bytes(most("standbys", ["lag_bytes", "max"]))
            );
            assert_eq!(cell("commits lost"), variant["commits"]["lost"].to_string());
        }
        page.assert_quiet();
    }
}

#[test]
fn the_cursor_is_in_all_plots_over_time_wherever_it_is_moved_from() {
    let page = Page::open("cursor", SITE_DOWN);
    let share = |page: &Page| {
        let cursors = page.cursors();
        assert_eq!(cursors.len(), 9, "{cursors:?}");
        assert!(cursors.iter().all(|x| (x - cursors[0]).abs() < 1e-9), "{cursors:?}");
        cursors[0]
    };
    assert_eq!(share(&page), 0.0);

    page.focus("#moment");
    page.press(Key::End);
    assert_eq!(share(&page), 1.0);
    page.press(Key::Left);
    let valuetext = page.text("document.querySelector('#moment').ariaValueText");
    assert!((share(&page) - 119.0 / 120.0).abs() < 1e-9);
    assert_eq!(valuetext, "19min 50s");
    assert_eq!(page.text("location.hash"), "#at=1190s");
    page.press(Key::Escape);

    let plot = "[data-plot='9'] svg";
    let (x, y) = page.middle(plot);
    page.browser.point((x, y)).expect("the pointer moves");
    let hovered = share(&page);
    assert!((0.3..0.7).contains(&hovered), "{hovered}");
    page.browser.point((x - 100.0, y)).expect("the pointer moves");
    let left_of_it = share(&page);
    assert!(left_of_it < hovered);
    page.browser.click((x - 50.0, y)).expect("it clicks");
    let pinned = share(&page);
    assert!(left_of_it < pinned && pinned < hovered);
    page.browser.point((x + 50.0, y)).expect("the pointer moves");
    assert_eq!(share(&page), pinned, "pinned is pinned");
    page.press(Key::Escape);
    page.browser.point((x + 60.0, y)).expect("the pointer moves");
    assert!(share(&page) > pinned, "and Escape frees it");
    page.assert_quiet();
}

#[test]
fn a_readout_has_the_values_of_the_moment() {
    let page = Page::open("readout", SITE_DOWN);
    let summary = summary(SITE_DOWN);
    let variants = summary["variants"].as_array().expect("variants");
    // The peak of the primary's pg_wal, and of a standby's lag, where they are.
    for (title, list, name, path) in [
        ("Size of pg_wal", "servers", "pg1", "pg_wal_bytes"),
        ("Lag of the standbys", "standbys", "pg3", "lag_bytes"),
    ] {
        for (n, variant) in variants.iter().enumerate() {
            let all = variant[list].as_array().expect("a list");
            let one = all.iter().find(|one| one["name"] == name).expect("a server");
            let peak = human::bytes(one[path]["max"].as_u64().expect("a number"));
            // Every half percent of the axis: a peak that stays a while is met.
            let found = page.get(&format!(
                "(() => {{ \
                 const figure = [...document.querySelectorAll('[data-plot]')].find((figure) => \
                     figure.querySelector('svg').ariaLabel === 'Plot: {title}'); \
                 const svg = figure.querySelector('svg'); \
                 svg.scrollIntoView({{block: 'center'}}); \
                 const plot = JSON.parse(document.getElementById('data').textContent) \
                     .plots[figure.dataset.plot]; \
                 const box = svg.getBoundingClientRect(); \
                 const texts = new Set(); \
                 for (let share = 0; share <= 1; share += 0.002) {{ \
                     const x = plot.area[0] + share * (plot.area[1] - plot.area[0]); \
                     svg.dispatchEvent(new PointerEvent('pointermove', {{ pointerType: 'mouse', \
                         clientX: box.left + x * box.width / svg.viewBox.baseVal.width }})); \
                     const table = figure.querySelector('.readout'); \
                     const head = [...table.tHead.rows[0].cells].findIndex((cell) => \
                         cell.textContent === '{name}'); \
                     texts.add(table.tBodies[0].rows[{n}].cells[head].textContent); \
                 }} \
                 return [...texts]; }})()"
            ));
            let found = found.as_array().expect("texts");
            assert!(found.contains(&json!(peak)), "{title}: {peak} is not among {found:?}");
        }
    }
    page.assert_quiet();
}

#[test]
fn the_panel_shows_what_walden_view_prints() {
    let page = Page::open("views", SITE_DOWN);
    let run = played(SITE_DOWN).display().to_string();
    page.click("#all-columns");
    page.focus("#moment");
    let mut seen = BTreeSet::new();
    for variant in ["base", "both"] {
        // From the start: the first moments, some in the fault and after it, the end.
        page.press(Key::Home);
        let moves = [Key::Right, Key::PageUp, Key::PageUp, Key::PageUp, Key::PageUp, Key::End];
        for key in moves {
            page.press(key);
            for view in ["pg_stat_replication", "pg_replication_slots"] {
                let (at, rows) = page.view(view);
                let arguments =
                    ["view", &run, view, "--at", &at, "--variant", variant, "--csv", "-q"];
                let printed = walden(&arguments);
                let fields = |line: &str| line.split(',').map(str::to_owned).collect();
                let mut expected: Vec<Vec<String>> = printed.lines().map(fields).collect();
                if expected.len() == 1 {
                    expected.push(vec!["(0 rows)".to_owned()]);
                }
                let is_padding = |row: &Vec<String>| *row == ["\u{a0}"];
                let rows: Vec<_> = rows.into_iter().filter(|row| !is_padding(row)).collect();
                assert_eq!(rows, expected, "{view} of {variant} at {at}");
                seen.insert((view, expected.len()));
            }
        }
        page.get(
            "(() => { const of = document.querySelector('#of'); of.value = 1; \
                  of.dispatchEvent(new Event('change')); })()",
        );
    }
    // The site was seen alive and dark.
    assert!(
        seen.contains(&("pg_stat_replication", 4)) && seen.contains(&("pg_stat_replication", 2))
    );
    page.assert_quiet();
}

/// How much of what is of a variant is shown: pieces that have a box, of how many.
fn shown(page: &Page, variant: usize) -> (f64, f64) {
    let all = format!("[...document.querySelectorAll('[data-run=\"{variant}\"]')]");
    let visible = "(e) => getComputedStyle(e).display !== 'none'";
    (page.number(&format!("{all}.filter({visible}).length")), page.number(&format!("{all}.length")))
}

#[test]
fn variants_are_hidden_and_come_back_by_pointer_and_by_keyboard() {
    let page = Page::open("variants", FIVE_LEVELS);
    let is_whole = |variant| {
        let (visible, all) = shown(&page, variant);
        assert!(all > 20.0, "{all} pieces");
        visible == all
    };
    let is_gone = |variant| shown(&page, variant).0 == 0.0;
    assert!((0..5).all(is_whole));

    let box_of = |n: usize| format!("#comparison input[data-variant='{n}']");
    page.click(&box_of(1));
    assert!(is_gone(1) && [0, 2, 3, 4].into_iter().all(is_whole));
    assert_eq!(page.text("location.hash"), "#hide=local");
    page.focus(&box_of(1));
    page.press(Key::Tab);
    page.press(Key::Space);
    assert!(is_gone(1) && is_gone(2) && is_whole(0));
    assert_eq!(page.text("location.hash"), "#hide=local,remote_write");

    // What the address says is shown again to somebody else.
    let hash = page.text("location.hash");
    page.go(&hash);
    assert!(is_gone(1) && is_gone(2) && [0, 3, 4].into_iter().all(is_whole));
    page.focus(&box_of(1));
    page.press(Key::Space);
    assert!(is_whole(1) && is_gone(2));
    // The entry of a legend brings it back as well.
    page.click("[data-plot='0'] [data-entry='2']");
    assert!((0..5).all(is_whole));
    assert_eq!(page.text("location.hash"), "");

    // One always stays.
    (0..4).for_each(|n| page.click(&box_of(n)));
    assert_eq!(page.get(&format!("document.querySelector(\"{}\").disabled", box_of(4))), true);
    assert!(is_whole(4));
    page.assert_quiet();
}

#[test]
fn panels_close_up_over_those_that_are_hidden() {
    let page = Page::open("panels", FIVE_LEVELS);
    let plots =
        "[...document.querySelectorAll('svg')].filter((s) => s.querySelector('[data-panel]'))";
    let height = || page.number(&format!("{plots}[0].getBoundingClientRect().height"));
    let whole = height();
    page.click("#comparison input[data-variant='0']");
    assert!(height() < whole * 0.9);
    let top = "(e) => e.getBoundingClientRect().top";
    let apart = page.number(&format!(
        "({top})({plots}[0].querySelector('[data-panel=\"1\"]')) - ({top})({plots}[0])"
    ));
    assert!(apart < whole / 4.0, "the second panel is the first now: {apart}");
    page.click("#comparison input[data-variant='0']");
    assert_eq!(height(), whole);
    page.assert_quiet();
}

#[test]
fn a_moment_can_be_handed_on() {
    let page = Page::open("address", SITE_DOWN);
    page.go("#at=600s&of=both&hide=base");
    let (at, rows) = page.view("pg_stat_replication");
    assert_eq!((at.as_str(), rows.len() - 1), ("600s", 3));
    assert_eq!(rows.iter().filter(|row| *row[0] == *"pg2").count(), 1);
    assert_eq!(page.get("document.querySelector('#of').selectedOptions[0].text"), "both");
    assert!(page.cursors().iter().all(|&x| x == 0.5));
    assert_eq!(shown(&page, 0).0, 0.0);
    assert_eq!(page.text("document.querySelector('.moment .at').textContent"), "10min · power");
    // So does the story: the first line that the standby's absence left there.
    let line = "document.querySelector('#story [data-run=\"0\"] th.time a')";
    let time = page.text(&format!("{line}.textContent"));
    page.get(&format!("{line}.click()"));
    let seconds = |text: &str| text.trim_end_matches('s').parse::<f64>().expect("seconds");
    assert_eq!(seconds(page.text("location.hash").trim_start_matches("#at=")), seconds(&time));
    assert_eq!(page.get("document.querySelector('#of').selectedOptions[0].text"), "base");
    // Between two looks the views are those of the one before, and say so.
    page.go("#at=359.98s");
    assert_eq!(page.view("pg_stat_replication").0, "350s, the last look before");
    assert!(page.cursors().iter().all(|&x| (x - 359.98 / 1200.0).abs() < 1e-9));
    // Nonsense is no moment.
    for fragment in ["#at=soon", "#hide=%", "#at=-5s&of=nobody&hide=nobody,", "#plots", "#=&==&at"]
    {
        page.go(fragment);
        assert_eq!(page.cursors()[0], 0.0, "{fragment}");
        assert!(shown(&page, 0).0 > 0.0 && shown(&page, 1).0 > 0.0, "{fragment}");
    }
    page.go("#at=99999s");
    assert_eq!(page.cursors()[0], 1.0);
    page.assert_quiet();
}

#[test]
fn plots_that_are_not_over_time_tell_their_values_too() {
    let page = Page::open("percentiles", FIVE_LEVELS);
    let (x, y) = page.middle("[data-plot='0'] svg");
    page.browser.point((x - 200.0, y)).expect("the pointer moves");
    let caption = "document.querySelector(\"[data-plot='0'] .readout caption\").textContent";
    let before = page.text(caption);
    page.browser.point((x + 200.0, y)).expect("the pointer moves");
    assert_ne!(page.text(caption), before);
    // The value is the one of the table behind the plot.
    let share = page.text(caption).replace("At ", "").replace(':', "");
    let behind = page.texts(&format!(
        "(() => {{ const table = document.querySelector(\"[data-plot='0'] ~ details table\"); \
         const n = [...table.tHead.rows[0].cells].findIndex((th) => th.textContent === '{share}'); \
         return [...table.tBodies[0].rows].map((row) => row.cells[n].textContent); }})()"
    ));
    let told = page.texts(
        "[...document.querySelector(\"[data-plot='0'] .readout\").tBodies[0].rows[0].cells] \
         .map((cell) => cell.textContent)",
    );
    assert_eq!(told, behind);
    page.browser.point(page.middle("[data-plot='1'] [data-say]")).expect("the pointer moves");
    let said = page.text("document.querySelector(\"[data-plot='1'] .said\").textContent");
    assert!(said.starts_with("off · ") && said.contains(" of "), "{said}");
    page.assert_quiet();
}

#[test]
fn without_a_script_everything_is_there_and_no_dead_control() {
    let page = Page::open("plain", SITE_DOWN);
    let with = page.get("[...document.querySelectorAll('main > section')].map((s) => s.id)");
    let figures = page.number("document.querySelectorAll('svg[role=img]').length");
    page.browser
        .devtools("Emulation.setScriptExecutionDisabled", json!({ "value": true }))
        .expect("scripts are off");
    page.go("#at=600s&hide=base");
    assert_eq!(page.number("document.querySelectorAll('input, button, select').length"), 0.0);
    assert_eq!(page.number("document.querySelectorAll('.gone, .cursor, .readout').length"), 0.0);
    assert_eq!(page.get("[...document.querySelectorAll('main > section')].map((s) => s.id)"), with);
    assert_eq!(page.number("document.querySelectorAll('svg[role=img]').length"), figures);
    assert!((0..2).all(|variant| shown(&page, variant).0 == shown(&page, variant).1));
    page.assert_quiet();
}

/// Nothing is asserted of these but that the page does not scroll sideways: they are to be looked
/// at.
#[test]
fn screenshots_for_people_to_look_at() {
    let page = Page::open("shots", SITE_DOWN);
    let shot = |name: &str| {
        page.browser.screenshot(&room().join(format!("{name}.png"))).expect("a screenshot");
    };
    let media = |kind: &str, scheme: &str| {
        let scheme = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        let media = json!({ "media": kind, "features": scheme });
        page.browser.devtools("Emulation.setEmulatedMedia", media).expect("a medium");
    };
    for (name, width, scheme) in
        [("light", 1280, "light"), ("dark", 1280, "dark"), ("narrow", 500, "light")]
    {
        page.browser.resize(width, 1000).expect("a window");
        media("screen", scheme);
        page.go("#at=600s");
        shot(name);
        page.middle("[data-plot='9'] svg");
        shot(&format!("{name}-pg_wal"));
        let wide = page.number("document.documentElement.scrollWidth");
        assert!(wide <= f64::from(width), "{name}: {wide}");
    }
    page.browser.resize(1280, 1600).expect("a window");
    page.middle("[data-plot='6'] svg");
    shot("panels");
    page.go("#at=600s&hide=base&of=both");
    shot("one-variant");
    page.get("document.querySelector('#comparison').scrollIntoView()");
    shot("comparison");
    media("print", "light");
    page.get("document.querySelector('#plots').scrollIntoView()");
    shot("print");
    let controls = "[...document.querySelectorAll('.moment, .readout, .variants, .hint')]";
    assert_eq!(page.number(&format!("{controls}.filter((e) => e.offsetHeight > 0).length")), 0.0);
    page.assert_quiet();
}
