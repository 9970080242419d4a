//! PostgreSQL's words for every fact, version by version.

mod common;

use common::{example_run, golden};
use models::postgres::PgVersion;
use models::trace::describe::describe;
use models::trace::messages::format_log;

#[test]
fn logs_are_in_the_words_of_their_version() {
    let mut text = String::new();
    for version in 13..=18 {
        let mut run = example_run("base", 100);
        run.pg_version = PgVersion::new(version).expect("a version");
        for server in &run.servers {
            text += &format!("== PostgreSQL {version}, {server}\n{}\n", format_log(&run, server));
        }
    }
    golden("logs.txt", &text);
}

#[test]
fn every_fact_has_plain_words() {
    let run = example_run("base", 100);
    let text: String =
        run.facts.iter().map(|f| format!("{} {}\n", f.at, describe(f, &run))).collect();
    golden("described.txt", &text);
}
