//! What the services say when they refuse: each has its own shape.

use serde_json::Value as Json;

/// The words of an error's body.
///
/// `{"error": {"message"}}` (Keystone, Glance), `{"badRequest": {"message"}}` (Nova), `{"NeutronError": {"message"}}` or a text in it,
/// `{"errors": [{"detail", "title"}]}` (Magnum, Placement).
pub(crate) fn said(body: &[u8]) -> Option<String> {
    let json: Json = serde_json::from_slice(body).ok()?;
    if let Some(errors) = json.get("errors").and_then(Json::as_array) {
        let one = |error: &Json| text(error, "detail").or_else(|| text(error, "title"));
        let all: Vec<_> = errors.iter().filter_map(one).collect();
        return (!all.is_empty()).then(|| all.join("; "));
    }
    let members = json.as_object()?;
    members
        .values()
        .find_map(|inside| match inside {
            Json::Object(_) => text(inside, "message"),
            _ => None,
        })
        .or_else(|| text(&json, "message"))
        .or_else(|| text(&json, "NeutronError"))
        .or_else(|| text(&json, "faultstring"))
}

fn text(json: &Json, name: &str) -> Option<String> {
    json.get(name)?.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::said;

    #[test]
    fn each_service_is_understood() {
        for (body, expected) in [
            (r#"{"error": {"code": 401, "message": "Who?", "title": "Unauthorized"}}"#, Some("Who?")),
            (r#"{"itemNotFound": {"code": 404, "message": "No flavor"}}"#, Some("No flavor")),
            (r#"{"NeutronError": {"type": "X", "message": "Quota exceeded", "detail": ""}}"#, Some("Quota exceeded")),
            (r#"{"NeutronError": "Invalid input"}"#, Some("Invalid input")),
            (r#"{"errors": [{"status": 400, "detail": "No trust", "title": "Bad"}]}"#, Some("No trust")),
            (r#"{"errors": [{"detail": "", "title": "Bad"}]}"#, Some("Bad")),
            (r#"{"message": "Gone"}"#, Some("Gone")),
            ("<html>", None),
            ("{}", None),
        ] {
            assert_eq!(said(body.as_bytes()).as_deref(), expected, "{body}");
        }
    }
}
