//! Figures for people: thousands apart, as many digits as matter.

use std::collections::BTreeMap;

/// `12,353`
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Four digits that matter: `0.3142`, `12.35`, `1,834`, `1.2e-7`.
pub fn metric(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() || size == 0.0 {
        return value.to_string();
    }
    if (1000.0..1e15).contains(&size) {
        let sign = if value < 0.0 { "-" } else { "" };
        return format!("{sign}{}", thousands(size.round() as u64));
    }
    if !(1e-4..1e15).contains(&size) {
        return format!("{value:.3e}");
    }
    let decimals = (3 - size.log10().floor() as i64).clamp(0, 8) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// `loss=0.3142 accuracy=0.88 (1,834 events/s)`: a metric named `<unit>_per_second` is a rate and comes last.
pub fn metrics(metrics: &BTreeMap<String, f64>) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut rates: Vec<String> = Vec::new();
    for (name, value) in metrics {
        match name.strip_suffix("_per_second") {
            Some(unit) => rates.push(format!("({} {unit}/s)", metric(*value))),
            None => parts.push(format!("{name}={}", metric(*value))),
        }
    }
    // Loss before accuracy, as trainers write it.
    parts.sort_by_key(|part| !part.starts_with("loss"));
    parts.extend(rates);
    parts.join(" ")
}

/// `1.4 MiB`
pub fn bytes(number: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut size = number as f64;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < units.len() {
        size /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{number} B") } else { format!("{size:.1} {}", units[unit]) }
}

/// `1 file`, `2 files`
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{} {noun}s", thousands(number as u64)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_that_matter() {
        for (value, text) in [
            (0.0, "0"),
            (0.314_159, "0.3142"),
            (0.88, "0.88"),
            (1.0, "1"),
            (12.3456, "12.35"),
            (999.96, "1000"),
            (1834.4, "1,834"),
            (-1834.4, "-1,834"),
            (0.000_000_12, "1.200e-7"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(metric(value), text);
        }
        assert_eq!(thousands(12_353), "12,353");
        assert_eq!(thousands(999), "999");
        assert_eq!(bytes(1_500_000), "1.4 MiB");
        assert_eq!(bytes(12), "12 B");
    }

    #[test]
    fn rates_come_last() {
        let map = [("accuracy", 0.88), ("events_per_second", 1834.0), ("loss", 0.31)];
        let map = map.map(|(name, value)| (name.to_owned(), value)).into();
        assert_eq!(metrics(&map), "loss=0.31 accuracy=0.88 (1,834 events/s)");
    }
}
