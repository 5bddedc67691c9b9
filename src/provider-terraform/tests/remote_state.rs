//! What `terraform_remote_state` reads: a state that a real Terraform has written, and ours, wherever its path leads.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::Duration;

use pipectl_core::{Diagnostics, Value};
use pipectl_provider::{Cx, DataSource as _};
use pipectl_provider_terraform::RemoteState;
use pipectl_sim::context;
use pipectl_state::{Change, Encryption, Holder, LocalStore, OutputState, Passphrase, StateStore as _};

async fn read(root: &Path, arguments: &[(&str, Value)]) -> Result<Value, String> {
    let cx = Cx { root: root.to_owned(), ..context("data.terraform_remote_state.a", "") };
    let null = ["config", "defaults", "workspace", "outputs"].map(|name| (name, Value::null()));
    let config = Value::object([("backend", Value::from("local"))].into_iter().chain(null));
    let config = arguments.iter().fold(config, |config, (name, value)| config.with_attribute(name, value.clone()));
    let texts = |problems: Diagnostics| {
        problems.iter().map(|found| format!("{}: {}", found.summary, found.detail)).collect::<Vec<_>>().join("\n")
    };
    let read = RemoteState::new(Vec::new()).read(&cx, &config).await.map_err(texts)?;
    Ok(read.attribute("outputs").unwrap().clone())
}

fn config(path: &str) -> (&'static str, Value) {
    ("config", Value::object([("path", Value::from(path))]))
}

#[tokio::test]
async fn what_terraform_has_written() {
    // Made by Terraform 1.11.4 from `main.tf` beside it.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/terraform");
    let outputs = read(&root, &[]).await.unwrap();
    assert!(outputs.attribute("s").unwrap().is_sensitive(), "Terraform would show it");
    assert_eq!(outputs.attribute("o").unwrap().to_string(), "{ a = [1, 2], b = [\"x\"] }");
    let set = outputs.attribute("o").unwrap().attribute("b").unwrap().ty();
    assert_eq!(set, pipectl_core::Type::set(pipectl_core::Type::String));
    let defaults = Value::object([("s", Value::from("d")), ("extra", Value::from(1))]);
    let outputs = read(&root, &[config("terraform.tfstate"), ("defaults", defaults)]).await.unwrap();
    assert_eq!(outputs.attribute("extra"), Some(&Value::from(1)));
    assert!(outputs.attribute("s").unwrap().is_sensitive(), "the state comes before defaults");
    let dev = read(&root, &[("workspace", "dev".into())]).await.unwrap();
    assert_eq!(dev.to_string(), "{ where = \"dev\" }");
    let missing = read(&root, &[("workspace", "none".into())]).await.unwrap_err();
    assert!(missing.starts_with("Unable to find remote state: No stored state was found for the workspace \"none\""));
    let wrong = read(&root, &[config("main.tf")]).await.unwrap_err();
    assert!(wrong.contains("`main.tf` cannot be read: it is not JSON"), "{wrong}");
}

/// A state of ours with one output.
fn make(folder: &Path, root: &str, output: &str, encryption: Encryption) {
    let text = || "test".to_owned();
    let holder = Holder { pid: 1, who: text(), operation: text(), since: text() };
    let mut writer = LocalStore::new(folder).encrypted(encryption).lock(&holder, Duration::ZERO).unwrap();
    writer.begin("lineage", root).unwrap();
    let output = OutputState { value: output.into(), ty: "string".into(), sensitive: false };
    writer.commit(vec![Change::SetOutput { name: "where".to_owned(), output }]).unwrap();
}

#[tokio::test]
async fn ours_wherever_it_lies() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    let clear = Encryption::none;
    make(&at("stack/.pipectl/default/default"), ".", "stack", clear());
    make(&at("stack/.pipectl/default/dev"), ".", "stack, dev", clear());
    make(&at("pipelines/.pipectl/one/default"), "one.hcl", "one", clear());
    make(&at("pipelines/.pipectl/two/default"), "two.hcl", "two", clear());
    let locked = Encryption::with(Passphrase::new("the passphrase of three").unwrap());
    make(&at("pipelines/.pipectl/three/default"), "three.hcl", "three", locked);
    for (path, output) in [
        ("stack", "stack"),
        ("stack/.pipectl/default", "stack"),
        ("stack/.pipectl/default/dev", "stack, dev"),
        ("pipelines/two.hcl", "two"),
        ("pipelines/.pipectl/one", "one"),
    ] {
        let outputs = read(folder.path(), &[config(path)]).await.unwrap();
        assert_eq!(outputs.attribute("where"), Some(&Value::from(output)), "{path}");
    }
    let outputs = read(folder.path(), &[config("stack"), ("workspace", "dev".into())]).await.unwrap();
    assert_eq!(outputs.attribute("where"), Some(&Value::from("stack, dev")));
    let sealed = read(folder.path(), &[config("pipelines/three.hcl")]).await.unwrap_err();
    assert!(sealed.starts_with("Remote state not decrypted: The state of `pipelines/three.hcl` is encrypted"));
    let with = |text: &str| Value::object([("path", Value::from("pipelines/three.hcl")), ("passphrase", text.into())]);
    let outputs = read(folder.path(), &[("config", with("the passphrase of three"))]).await.unwrap();
    assert_eq!(outputs.attribute("where"), Some(&Value::from("three")));
    assert!(
        read(folder.path(), &[("config", with("another passphrase"))])
            .await
            .unwrap_err()
            .contains("another passphrase")
    );
    assert!(read(folder.path(), &[("config", with("short"))]).await.unwrap_err().starts_with("Passphrase too short"));
    assert!(read(folder.path(), &[config("pipelines")]).await.unwrap_err().starts_with("Unable to find remote state"));
}

#[tokio::test]
async fn mistakes_are_told_as_terraform_tells_them() {
    let root = Path::new(".");
    let found = read(root, &[("backend", "s3".into())]).await.unwrap_err();
    assert!(found.starts_with("Invalid backend configuration: There is no backend type named \"s3\"."), "{found}");
    let found = read(root, &[("config", "x".into())]).await.unwrap_err();
    assert!(found.ends_with("is not valid for backend \"local\": an object is required."), "{found}");
    let found = read(root, &[("config", Value::object([("pth", Value::from("x"))]))]).await.unwrap_err();
    assert!(found.ends_with("is not valid for backend \"local\": unexpected attribute \"pth\"."), "{found}");
}
