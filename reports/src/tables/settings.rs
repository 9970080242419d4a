//! Settings that are not the default, each value once, with the servers and variants that have it.

use models::trace::{Run, Setting};

use super::{Cell, Table};
use crate::variant_names;

/// One value of one setting, and who has it.
struct Row<'a> {
    setting: &'a Setting,
    /// For every run the servers that have it.
    servers: Vec<Vec<&'a str>>,
}

/// A row a setting and value.
pub fn settings(runs: &[Run]) -> Table {
    let columns = ["setting", "default", "here", "on", "in"];
    let columns = &columns[..if runs.len() > 1 { 5 } else { 4 }];
    let mut rows: Vec<Row> = Vec::new();
    for (i, run) in runs.iter().enumerate() {
        for (settings, server) in run.settings.iter().zip(&run.servers) {
            for setting in settings {
                let index = rows.iter().position(|row| row.setting == setting);
                let index = index.unwrap_or_else(|| {
                    rows.push(Row { setting, servers: vec![Vec::new(); runs.len()] });
                    rows.len() - 1
                });
                rows[index].servers[i].push(server);
            }
        }
    }
    rows.sort_by(|a, b| {
        (&a.setting.name, &a.setting.value).cmp(&(&b.setting.name, &b.setting.value))
    });
    let names = variant_names(runs);
    let cells = |row: &Row| {
        let Setting { name, value, default } = row.setting;
        let mut cells = vec![
            Cell::new(name.clone()),
            Cell::new(shown(default)),
            Cell::new(shown(value)),
            Cell::new(everywhere(runs, row)),
        ];
        if runs.len() > 1 {
            cells.push(Cell::new(variants(&names, row)));
        }
        cells
    };
    Table {
        columns: columns.iter().map(|&column| column.to_owned()).collect(),
        rows: rows.iter().map(cells).collect(),
        ..Table::default()
    }
}

/// Text that is empty would not be seen.
fn shown(value: &str) -> String {
    if value.is_empty() { "''".to_owned() } else { value.to_owned() }
}

/// The servers that have it in any run.
fn everywhere(runs: &[Run], row: &Row) -> String {
    let mut servers: Vec<&str> = Vec::new();
    for &server in row.servers.iter().flatten() {
        if !servers.contains(&server) {
            servers.push(server);
        }
    }
    let all = runs.iter().flat_map(|run| &run.servers).all(|s| servers.contains(&s.as_str()));
    match (all, servers.len()) {
        (true, 2..) => "every server".to_owned(),
        _ => servers.join(", "),
    }
}

/// The variants in which any server has it.
fn variants(names: &[String], row: &Row) -> String {
    let has = |(_, servers): &(&String, &Vec<&str>)| !servers.is_empty();
    let having: Vec<&str> =
        names.iter().zip(&row.servers).filter(has).map(|(name, _)| name.as_str()).collect();
    if having.len() == names.len() { "every variant".to_owned() } else { having.join(", ") }
}
