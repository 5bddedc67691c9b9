//! "Did you mean": the nearest known name to a misspelt one.

/// The candidate nearest to `given`, if near enough to be what was meant.
///
/// Near is a [`distance`] of at most a third of the longer name.
pub fn nearest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (distance(given, candidate), candidate))
        // A third of the name, and never all of it: `a` is not what `b` was meant to be.
        .filter(|(distance, candidate)| {
            let longer = given.chars().count().max(candidate.chars().count());
            *distance <= (longer / 3).max(1) && *distance < longer
        })
        .min()
        .map(|(_, candidate)| candidate)
}

/// `Did you mean "x"?` with a leading space, or nothing.
pub fn did_you_mean<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(given, candidates).map(|name| format!(" Did you mean \"{name}\"?")).unwrap_or_default()
}

/// How many insertions, deletions, replacements and swaps of neighbours make `b` of `a`: the optimal string alignment.
pub fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let mut best = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    best = best.min(rows[i - 2][j - 2] + 1);
                }
                best
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_near_names_only() {
        assert_eq!(nearest("dataest", ["dataset", "model"]), Some("dataset"));
        assert_eq!(nearest("epoch", ["epochs", "batch_size"]), Some("epochs"));
        assert_eq!(nearest("zzz", ["epochs", "model"]), None);
        assert_eq!(nearest("a", ["b"]), None);
        assert_eq!(did_you_mean("wrkers", ["workers"]), " Did you mean \"workers\"?");
    }
}
