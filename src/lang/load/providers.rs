//! `provider` blocks, `required_providers`, and references to provider configurations.

use pipectl_core::convert::convert;
use pipectl_core::{Diagnostic, ProviderSource, Type, VersionConstraints};

use crate::body::NestedBlock;
use crate::evaluate::evaluate;
use crate::expression::{Expression, Item, Key, Node, Step};
use crate::load::Loader;
use crate::load::reader::Reader;
use crate::load::refactoring::flattened;
use crate::provider_configuration::{ProviderBlock, ProviderExpression, ProviderReference, RequiredProvider};
use crate::scope::Scope;

/// Meta-arguments: every other argument configures the provider.
const META_ARGUMENTS: [&str; 4] = ["alias", "version", "for_each", "concurrency"];

impl Loader {
    pub(super) fn provider(&mut self, block: &NestedBlock) {
        let labels = self.labels(block, ["name"]);
        let mut reader = Reader::new(block, &mut self.diagnostics);
        let alias = reader.text("alias");
        let (for_each, concurrency) = (reader.expression("for_each"), reader.expression("concurrency"));
        let alias_span = block.body.argument("alias").map_or_else(|| block.span.clone(), |alias| alias.value.span());
        if let Some(alias) = alias.as_ref().filter(|alias| !crate::scan::is_identifier(alias)) {
            let detail =
                format!("An alias must be a name: letters, digits, underscores and dashes. {alias:?} is none.");
            reader.report(Diagnostic::error("Invalid provider configuration alias", detail).at(alias_span));
        }
        if let (None, Some(for_each)) = (&alias, &for_each) {
            let detail = "A provider configuration with for_each has several instances, and they are referred to by alias and key. Give it an \
                          alias.";
            let problem = Diagnostic::error("Alias required when using for_each", detail).at(for_each.span());
            reader.report(problem.hint("alias = \"by_region\""));
        }
        let Some([name]) = labels else { return };
        let key = match &alias {
            Some(alias) => format!("{name}.{alias}"),
            None => name.clone(),
        };
        if let Some(first) = self.configuration.providers.get(&key) {
            let (file, line) = self.place(&first.span);
            let what = match &alias {
                Some(alias) => format!("A provider configuration for {name:?} with alias {alias:?}"),
                None => format!("A default provider configuration for {name:?}"),
            };
            let detail = format!(
                "{what} was already given at {file}:{line}. Each configuration for the same provider must have a distinct alias."
            );
            let problem = Diagnostic::error("Duplicate provider configuration", detail).at(block.span.clone());
            return self.report(problem);
        }
        let body = block.body.without(&META_ARGUMENTS, &[]);
        let span = block.span.clone();
        self.configuration.providers.insert(key, ProviderBlock { name, alias, for_each, concurrency, body, span });
    }

    /// `required_providers { name = { source, version, configuration_aliases } }`
    pub(super) fn required_providers(&mut self, block: &NestedBlock) {
        for argument in block.body.arguments() {
            let name = &argument.name;
            if let Some(detail) = wrong_local_name(name) {
                let problem = Diagnostic::error("Invalid provider local name", detail);
                self.report(problem.at(argument.name_span.clone()));
            }
            let mut required = RequiredProvider {
                source: ProviderSource::implied(name),
                configuration_aliases: Vec::new(),
                span: argument.name_span.clone(),
            };
            if let Node::Object(items) = argument.value.node() {
                for item in items {
                    self.requirement(name, item, &mut required);
                }
            } else {
                match constant_text(&argument.value) {
                    Some(text) => self.version(&text, &argument.value),
                    None => {
                        let detail = "A required provider is an object with its source and version: { source = \"...\", version = \"...\" }.";
                        let problem = Diagnostic::error("Invalid required_providers object", detail);
                        self.report(problem.at(argument.value.span()));
                    }
                }
            }
            if let Some(first) = self.configuration.required_providers.get(name) {
                let (file, line) = self.place(&first.span);
                let detail = format!("The provider {name:?} was already required at {file}:{line}.");
                let problem = Diagnostic::error("Duplicate required provider", detail).at(argument.name_span.clone());
                self.report(problem);
                continue;
            }
            self.configuration.required_providers.insert(name.clone(), required);
        }
    }

    /// What there is comes with pipectl, so that there is nothing to choose: a version is only to be one.
    fn version(&mut self, text: &str, written: &Expression) {
        let wrong = match text.parse::<VersionConstraints>() {
            Ok(constraints) => constraints
                .unfit_for_providers()
                .map(|why| format!("{text:?} is no version constraint of a provider: {why}.")),
            Err(error) => Some(format!("{text:?} is no version constraint: {error}.")),
        };
        if let Some(detail) = wrong {
            self.report(Diagnostic::error("Invalid version constraint", detail).at(written.span()));
        }
    }

    fn requirement(&mut self, local_name: &str, item: &Item, required: &mut RequiredProvider) {
        let wrong =
            |detail: String| Diagnostic::error("Invalid required_providers object", detail).at(item.value.span());
        let name = match &item.key {
            Key::Name(name) => name.clone(),
            Key::Expression(key) => plain_text(key).unwrap_or_default(),
        };
        match name.as_str() {
            "version" => match plain_text(&item.value) {
                Some(text) => self.version(&text, &item.value),
                None => {
                    let detail = "The version constraint of a provider is a text like \"~> 1.2\".";
                    self.report(Diagnostic::error("Invalid version constraint", detail).at(item.value.span()));
                }
            },
            "source" => match plain_text(&item.value).map(|text| text.parse()) {
                Some(Ok(source)) => required.source = source,
                found => {
                    let detail = "The source of a provider is a text like \"hashicorp/random\".";
                    let summary = if found.is_some() { "Invalid provider source string" } else { "Invalid source" };
                    self.report(Diagnostic::error(summary, detail).at(item.value.span()));
                }
            },
            "configuration_aliases" => {
                let Node::Tuple(elements) = item.value.node() else {
                    let detail = "configuration_aliases is a list of provider configurations: [name.alias].";
                    let problem = Diagnostic::error("Invalid expression", detail);
                    return self.report(problem.at(item.value.span()));
                };
                for element in elements {
                    match provider_reference(element) {
                        Some(ProviderReference { name, alias, key: None, span }) if name == local_name => {
                            required.configuration_aliases.push((alias, span));
                        }
                        _ => {
                            let detail = format!(
                                "Configuration aliases of {local_name:?} are its name, with an alias or without: {local_name}.alias."
                            );
                            let problem = Diagnostic::error("Invalid configuration_aliases value", detail);
                            self.report(problem.at(element.span()));
                        }
                    }
                }
            }
            other => {
                let detail =
                    format!("A required provider has a source, a version and configuration_aliases, and no {other:?}.");
                self.report(wrong(detail));
            }
        }
    }
}

/// What is wrong with the name that a module gives a provider.
fn wrong_local_name(name: &str) -> Option<String> {
    let is_allowed = |character: char| character.is_alphanumeric() || character == '-';
    if !name.chars().all(is_allowed) || name.starts_with('-') || name.ends_with('-') {
        return Some(format!(
            "{name:?} is no name of a provider: there are only letters, digits and dashes in one, and no dash at its ends."
        ));
    }
    let lower = name.to_lowercase();
    (lower != name).then(|| format!("Names of providers are written in small letters: {lower:?} instead of {name:?}."))
}

/// The text that a value written out is, or turns into; `None`: it is null, turns into none, or is not written out.
fn constant_text(written: &Expression) -> Option<String> {
    let value = evaluate(written, &Scope::constant()).ok()?;
    convert(&value, &Type::String).ok()?.as_str().map(str::to_owned)
}

/// The same of what is a text without being turned into one.
fn plain_text(written: &Expression) -> Option<String> {
    evaluate(written, &Scope::constant()).ok()?.as_str().map(str::to_owned)
}

/// Reads a `provider` argument.
pub(super) fn provider_expression(written: &Expression) -> Option<ProviderExpression> {
    match written.node() {
        Node::Wrapped(inner) => provider_expression(inner),
        Node::Conditional { condition, accepted, rejected } => Some(ProviderExpression::Conditional {
            condition: condition.clone(),
            accepted: Box::new(provider_expression(accepted)?),
            rejected: Box::new(provider_expression(rejected)?),
        }),
        _ => provider_reference(written).map(ProviderExpression::Reference),
    }
}

pub(super) fn provider_reference(written: &Expression) -> Option<ProviderReference> {
    let span = written.span();
    let named = |name: &str, alias: Option<&str>, key: Option<Expression>| ProviderReference {
        name: name.to_owned(),
        alias: alias.map(str::to_owned),
        key,
        span: span.clone(),
    };
    if let Some(text) = written.as_literal_str() {
        // The old form, in quotes.
        return Some(match text.split_once('.') {
            Some((name, alias)) => named(name, Some(alias), None),
            None => named(text, None, None),
        });
    }
    let (name, steps) = flattened(written)?;
    match steps.as_slice() {
        [] => Some(named(&name, None, None)),
        [Step::Attribute { name: alias, .. }] => Some(named(&name, Some(alias), None)),
        [Step::Attribute { name: alias, .. }, Step::Index { key, .. }] => {
            Some(named(&name, Some(alias), Some(key.clone())))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::{ProviderExpression, SourceFile, load};

    fn loaded(text: &str) -> (crate::Configuration, Vec<String>) {
        let (configuration, found) = load(vec![SourceFile { name: "main.hcl".to_owned(), text: text.to_owned() }]);
        (configuration, found.iter().map(|found| format!("{}: {}", found.summary, found.detail)).collect())
    }

    #[test]
    fn references_have_a_name_an_alias_and_a_key() {
        let chosen = |written: &str| -> Option<String> {
            let (configuration, _) = loaded(&format!("resource \"t\" \"r\" {{\n  provider = {written}\n}}\n"));
            let provider = configuration.objects.values().next()?.meta.provider.clone()?;
            let shown = |reference: &crate::ProviderReference| {
                let alias = reference.alias.as_deref().unwrap_or("-");
                format!("{} {alias} {}", reference.name, if reference.key.is_some() { "keyed" } else { "-" })
            };
            Some(provider.choices().into_iter().map(shown).collect::<Vec<_>>().join(", "))
        };
        for (written, expected) in [
            ("p", Some("p - -")),
            ("p.west", Some("p west -")),
            ("\"p.west\"", Some("p west -")),
            ("p.by_region[\"eu\"]", Some("p by_region keyed")),
            ("p.by_region[each.key]", Some("p by_region keyed")),
            ("var.x ? p.west : (var.y ? p.east : p)", Some("p west -, p east -, p - -")),
            ("p.west.x", None),
            ("p[0]", None),
            ("p.a[0][1]", None),
            ("f(p)", None),
            ("[p]", None),
        ] {
            assert_eq!(chosen(written).as_deref(), expected, "{written}");
        }
        let (configuration, _) = loaded("resource \"t\" \"r\" {\n  provider = var.x ? p.a[each.key] : p\n}\n");
        let provider = configuration.objects[0].meta.provider.clone().unwrap();
        assert!(matches!(&provider, ProviderExpression::Conditional { .. }));
        let references: Vec<String> = provider.references().iter().map(|(found, _)| found.to_string()).collect();
        assert_eq!(references, ["var.x", "each"]);
    }

    #[test]
    fn requirements_are_read() {
        let (configuration, found) = loaded(
            "terraform {\n  required_providers {\n    old = \"~> 1.0\"\n    oci = {\n      source = \"oracle/oci\"\n      version = \"1\"\n      \
             configuration_aliases = [oci.west, oci.east]\n    }\n  }\n}\nprovider \"oci\" {\n  alias = \"west\"\n  region = \"w\"\n}\n",
        );
        assert_eq!(found, Vec::<String>::new());
        let required = &configuration.required_providers;
        assert_eq!(required["oci"].source.to_string(), "registry.terraform.io/oracle/oci");
        assert_eq!(required["oci"].configuration_aliases.len(), 2);
        assert!(required["old"].source.is_implied());
        let (key, block) = configuration.provider_block(&"oracle/oci".parse().unwrap(), Some("west")).unwrap();
        assert_eq!((key, block.body.arguments().count()), ("oci.west", 1));
        assert!(configuration.provider_block(&"hashicorp/oci".parse().unwrap(), Some("west")).is_none());
    }

    #[test]
    fn override_files_change_requirements_and_configurations() {
        let file = |name: &str, source: &str, region: &str| SourceFile {
            name: name.to_owned(),
            text: format!(
                "terraform {{\n  required_providers {{\n    oci = {{ source = \"{source}/oci\" }}\n  }}\n}}\nprovider \"oci\" {{\n  alias = \
                 \"west\"\n  region = \"{region}\"\n}}\n"
            ),
        };
        let (configuration, found) = load(vec![file("main.tf", "hashicorp", "w"), file("override.tf", "oracle", "e")]);
        assert_eq!(found.iter().count(), 0, "{found:?}");
        assert_eq!(configuration.required_providers["oci"].source.to_string(), "registry.terraform.io/oracle/oci");
        let (_, block) = configuration.provider_block(&"oracle/oci".parse().unwrap(), Some("west")).unwrap();
        assert_eq!(block.body.argument("region").unwrap().value.as_literal_str(), Some("e"));
    }

    /// As Terraform 1.11.4 tells them.
    #[test]
    fn values_of_requirements_are_texts() {
        for (written, summary) in [
            ("5", None),
            ("\"1.0\"", None),
            ("\"${\"1.0\"}\"", None),
            ("1 == 1 ? \"1.0\" : \"2\"", None),
            ("{ (\"source\") = \"${\"a\"}/b\" }", None),
            ("\"x\"", Some("Invalid version constraint")),
            ("true", Some("Invalid version constraint")),
            ("\"> v1\"", Some("Invalid version constraint")),
            ("null", Some("Invalid required_providers object")),
            ("[\"1\"]", Some("Invalid required_providers object")),
            ("var.x", Some("Invalid required_providers object")),
            ("{ source = 5 }", Some("Invalid source")),
            ("{ source = null }", Some("Invalid source")),
            ("{ source = \"\" }", Some("Invalid provider source string")),
            ("{ version = 5 }", Some("Invalid version constraint")),
            ("{ version = null }", Some("Invalid version constraint")),
            ("{ version = var.x }", Some("Invalid version constraint")),
            ("{ version = \"1.0.0.0\" }", Some("Invalid version constraint")),
            ("{ configuration_aliases = 5 }", Some("Invalid expression")),
        ] {
            let (_, found) = loaded(&format!("terraform {{\n  required_providers {{\n    p = {written}\n  }}\n}}\n"));
            let summaries: Vec<&str> = found.iter().filter_map(|found| Some(found.split_once(':')?.0)).collect();
            assert_eq!(summaries, summary.into_iter().collect::<Vec<_>>(), "{written}");
        }
    }

    #[test]
    fn mistakes_are_told() {
        for (text, summary) in [
            ("provider \"p\" {}\nprovider \"p\" {}\n", "Duplicate provider configuration"),
            ("provider \"p\" {\n  alias = \"a b\"\n}\n", "Invalid provider configuration alias"),
            ("provider \"p\" {\n  for_each = {}\n}\n", "Alias required when using for_each"),
            (
                "terraform {\n  required_providers {\n    p = { source = \"a b\" }\n  }\n}\n",
                "Invalid provider source string",
            ),
            (
                "terraform {\n  required_providers {\n    p = { colour = 1 }\n  }\n}\n",
                "Invalid required_providers object",
            ),
            (
                "terraform {\n  required_providers {\n    p = { configuration_aliases = [q.x] }\n  }\n}\n",
                "Invalid configuration_aliases value",
            ),
            ("resource \"t\" \"r\" {\n  provider = p.a.b\n}\n", "Invalid provider configuration reference"),
            (
                "terraform {\n  provider_meta \"p\" {}\n}\nterraform {\n  provider_meta \"p\" {}\n}\n",
                "Duplicate provider_meta block",
            ),
            ("terraform {\n  provider_meta {}\n}\n", "Missing provider for provider_meta"),
        ] {
            let (_, found) = loaded(text);
            assert!(found.len() == 1 && found[0].starts_with(summary), "{text}: {found:?}");
        }
    }
}
