//! What output functions make of numbers, held against real servers.
//!
//! `psql/values.csv` has some 1,300 numbers and what PostgreSQL 13 to 18 print of them, recorded
//! with `psql/record.py`.

use models::postgres::PgVersion;
use models::postgres::output;

#[test]
fn intervals_moments_sizes_and_seconds_are_printed_as_servers_do() {
    let mut lines = include_str!("psql/values.csv").lines();
    let names: Vec<&str> = lines.next().expect("a line of names").split(',').collect();
    let (mut rows, mut compared) = (0, 0);
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let number: i64 = cells[0].parse().expect("a number");
        // The server makes a time of a number by way of a double.
        let is_exact = number.abs() < 1 << 53;
        for (name, printed) in names.iter().zip(&cells).skip(1) {
            if !is_exact && !name.starts_with("size") {
                continue;
            }
            let ours = match name.split_once(' ') {
                None if *name == "interval" => output::interval(number),
                None if *name == "moment" => output::timestamptz(number),
                None => output::difference(0, number),
                Some((what, major)) => {
                    let version = major.parse().ok().and_then(PgVersion::new).expect("a version");
                    match what {
                        // Beyond what 15 digits hold, doubles are rounded.
                        "epoch" if major == "13" && number.abs() >= 1_000_000_000_000_000 => {
                            continue;
                        }
                        "epoch" => output::epoch(number, version),
                        _ => output::size_pretty(number, version),
                    }
                }
            };
            assert_eq!(ours, *printed, "{name} of {number}");
            compared += 1;
        }
        rows += 1;
    }
    assert!(rows > 1_000 && compared > 15 * rows / 2, "{rows} rows, {compared} values");
}
