//! The reference of stage kinds is what their schemas say. `UPDATE=1 cargo test --test stage_reference` writes it.
#![allow(clippy::unwrap_used)]

use std::path::Path;

#[test]
fn the_page_says_what_the_schemas_say() {
    let mut page = "# Stage kinds\n\nWritten from the schemas by the test `stage_reference`. What holds for every kind is in [Stages](stages.md).\n".to_owned();
    for stage in pipectl_cli::stages().iter() {
        page.push('\n');
        page.push_str(&pipectl_cli::stage_reference(stage.as_ref()));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/src/reference/stage-kinds.md");
    #[expect(clippy::disallowed_methods, reason = "a switch of the person who runs the test")]
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/src/reference/stage-kinds.md is stale: UPDATE=1 cargo test --test stage_reference");
}
