//! `required_version`: constraints on versions, as Terraform writes them.

use pipectl_core::{Diagnostic, Diagnostics};
use pipectl_lang::Configuration;

/// The version of Terraform's language that this program follows: what `terraform { required_version }` is compared with.
const LANGUAGE_VERSION: &str = "1.11.4";

/// Compares the constraints of a configuration and its modules with this program.
///
/// Those of a `pipeline` block mean pipectl's own version; those of a `terraform` block mean Terraform's, whose language we follow.
pub fn check(configuration: &Configuration) -> Diagnostics {
    let own = configuration.pipeline.as_ref().and_then(|pipeline| pipeline.required_version.as_deref());
    let judge = |(constraint, span): &(String, pipectl_core::Span)| {
        let (program, version) = match own == Some(constraint.as_str()) {
            true => ("pipectl", env!("CARGO_PKG_VERSION")),
            false => ("the language of Terraform", LANGUAGE_VERSION),
        };
        let diagnostic = match allows(constraint, version) {
            Some(true) => return None,
            Some(false) => Diagnostic::error(
                "Unsupported version",
                format!("The configuration asks for {program} {constraint}, and this is {version}."),
            ),
            None => Diagnostic::error(
                "Invalid version constraint",
                format!("`{constraint}` is not a list of constraints like `>= 0.1, < 2.0`."),
            ),
        };
        Some(diagnostic.at(span.clone()))
    };
    let modules = configuration.distinct_modules();
    modules.into_iter().flat_map(|module| &module.required_versions).filter_map(judge).collect()
}

/// Whether a list of constraints allows a version; `None` when it is malformed.
fn allows(constraints: &str, version: &str) -> Option<bool> {
    let (version, _) = parse(version)?;
    let mut allowed = true;
    for constraint in constraints.split(',').map(str::trim) {
        let split = constraint.find(|c: char| c.is_ascii_digit())?;
        let (operator, text) = constraint.split_at(split);
        let (wanted, parts) = parse(text)?;
        allowed &= match operator.trim() {
            "" | "=" => version == wanted,
            "!=" => version != wanted,
            ">" => version > wanted,
            ">=" => version >= wanted,
            "<" => version < wanted,
            "<=" => version <= wanted,
            // The last part that is given may grow, those before it may not.
            "~>" => {
                version >= wanted
                    && version[..parts.saturating_sub(1).max(1)] == wanted[..parts.saturating_sub(1).max(1)]
            }
            _ => return None,
        };
    }
    Some(allowed)
}

/// Major, minor and patch, and how many of them are given. Pre-release versions are not told apart.
fn parse(text: &str) -> Option<([u64; 3], usize)> {
    let mut version = [0; 3];
    let numbers = text.trim().split(['-', '+']).next()?;
    let parts: Vec<&str> = numbers.split('.').collect();
    if parts.len() > 3 {
        return None;
    }
    for (slot, part) in version.iter_mut().zip(&parts) {
        *slot = part.parse().ok()?;
    }
    Some((version, parts.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_versions() {
        for (constraints, version, expected) in [
            (">= 1.5", "1.11.4", Some(true)),
            (">= 1.5, < 1.11", "1.11.4", Some(false)),
            ("~> 1.5", "1.11.4", Some(true)),
            ("~> 1.11.0", "1.11.4", Some(true)),
            ("~> 1.10.0", "1.11.4", Some(false)),
            ("~> 1", "2.0.0", Some(false)),
            ("1.11.4", "1.11.4", Some(true)),
            ("!= 1.11.4", "1.11.4", Some(false)),
            ("", "1.0.0", None),
            ("=> 1.0", "1.0.0", None),
            ("x1", "1.0.0", None),
        ] {
            assert_eq!(allows(constraints, version), expected, "{constraints}");
        }
    }
}
