//! Objects of a plan or state in the modules that they stand in.

use std::collections::BTreeMap;

use pipectl_core::{Address, ModulePath};
use serde_json::{Map, Value as Json};

/// `{"resources": [..], "child_modules": [..]}`: the root module with everything below. What is empty is left out.
pub(super) fn root_module<'a>(objects: impl IntoIterator<Item = (&'a Address, Json)>) -> Json {
    let mut root = Module::default();
    for (address, object) in objects {
        let steps = address.module.steps();
        let module = (1..=steps.len()).fold(&mut root, |module, depth| {
            module.children.entry(ModulePath::of(&steps[..depth]).to_string()).or_default()
        });
        module.resources.push(object);
    }
    root.json(None)
}

#[derive(Default)]
struct Module {
    resources: Vec<Json>,
    /// By address, in the order of the texts, as Terraform has them.
    children: BTreeMap<String, Module>,
}

impl Module {
    fn json(self, address: Option<String>) -> Json {
        let mut json = Map::new();
        if let Some(address) = address {
            json.insert("address".to_owned(), address.into());
        }
        if !self.resources.is_empty() {
            json.insert("resources".to_owned(), self.resources.into());
        }
        if !self.children.is_empty() {
            let children = self.children.into_iter().map(|(address, module)| module.json(Some(address)));
            json.insert("child_modules".to_owned(), children.collect());
        }
        json.into()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_stand_in_their_modules() {
        let address = |text: &str| text.parse::<Address>().expect("an address");
        let (a, b) = (address("t.a"), address(r#"module.a["x].y"].module.b[0].t.n"#));
        let inner = json!({ "address": r#"module.a["x].y"].module.b[0]"#, "resources": [2] });
        let outer = json!({ "address": r#"module.a["x].y"]"#, "child_modules": [inner] });
        let objects = [(&a, json!(1)), (&b, json!(2))];
        assert_eq!(root_module(objects), json!({ "resources": [1], "child_modules": [outer] }));
        assert_eq!(root_module([]), json!({}));
    }
}
