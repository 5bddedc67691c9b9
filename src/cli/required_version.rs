//! `required_version`: whether this program is one that a configuration asks for.

use pipectl_core::{Diagnostic, Diagnostics, Version, VersionConstraints};
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
        let running: Version = version.parse().expect("a version of ours is one");
        let diagnostic = match constraint.parse::<VersionConstraints>() {
            Err(error) => Diagnostic::error(
                "Invalid version constraint",
                format!("`{constraint}` is no version constraint: {error}."),
            ),
            Ok(constraints) if constraints.name_prerelease() => Diagnostic::error(
                "Invalid required_version constraint",
                format!(
                    "`{constraint}` names a version before its release. Ask for the release: the part after the numbers is left out."
                ),
            ),
            Ok(constraints) if constraints.allow(&running) => return None,
            Ok(_) => Diagnostic::error(
                "Unsupported version",
                format!("The configuration asks for {program} {constraint}, and this is {version}."),
            ),
        };
        Some(diagnostic.at(span.clone()))
    };
    let modules = configuration.distinct_modules();
    modules.into_iter().flat_map(|module| &module.required_versions).filter_map(judge).collect()
}
