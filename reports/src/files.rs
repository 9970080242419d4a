//! Names of files and directories made of names that people chose.

/// Longest name, so that a path fits everywhere.
const LONGEST: usize = 80;

/// A file name for each of `names`, in order: letters, digits, `.`, `-`, `_`, `=` and `+` stay,
/// everything else becomes `_`. No two are the same, even where case does not count, and none is
/// one of `taken`.
pub fn safe_names(names: &[String], taken: &[&str]) -> Vec<String> {
    let mut safe: Vec<String> = Vec::with_capacity(names.len());
    for name in names {
        let base = safe_name(name);
        let free = |candidate: &str| {
            let same = |other: &str| other.eq_ignore_ascii_case(candidate);
            !taken.iter().any(|name| same(name)) && !safe.iter().any(|name| same(name))
        };
        let numbered = (2..).map(|n| format!("{base}-{n}"));
        let chosen = std::iter::once(base.clone()).chain(numbered).find(|name| free(name));
        // The numbers do not end before a free name is found.
        safe.push(chosen.unwrap_or(base));
    }
    safe
}

fn safe_name(name: &str) -> String {
    let keep = |c: char| c.is_ascii_alphanumeric() || ".-_=+".contains(c);
    let safe: String = name.chars().map(|c| if keep(c) { c } else { '_' }).take(LONGEST).collect();
    // Neither hidden, nor the directory above, nor an option, nor nothing.
    match safe.chars().next() {
        None => "_".to_owned(),
        Some('.' | '-') => format!("_{}", safe[1..].trim_end_matches('.')),
        Some(_) => safe.trim_end_matches('.').to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_stay_inside_and_apart() {
        let names = ["a,b", "a/b", "A_B", "..", "", "plots", "<script>", "ünï", "base"];
        let names = names.map(str::to_owned);
        let safe = safe_names(&names, &["plots"]);
        let wanted = ["a_b", "a_b-2", "A_B-3", "_", "_-2", "plots-2", "_script_", "_n_", "base"];
        assert_eq!(safe, wanted);
    }
}
