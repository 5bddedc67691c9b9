//! What the services say when they refuse: each has its own shape.

use pipectl_http::Error;
use serde_json::Value as Json;

/// What a service said when it refused a call. Of a private one, as much as quotes nothing of what it was told.
pub(crate) fn of(error: &Error) -> Option<String> {
    let said = said(error.body())?;
    Some(if error.is_private() { without_values(&said) } else { said })
}

/// Services quote what they do not like.
fn without_values(said: &str) -> String {
    const LONGEST: usize = 300;
    let quoted = said.find("Value:");
    // Keystone names the field, and then what stands in it.
    let named = said.starts_with("Invalid input for field").then(|| said.find("': ").map(|end| end + 1)).flatten();
    let long = said.char_indices().nth(LONGEST).map(|(end, _)| end);
    match [quoted, named, long].into_iter().flatten().min() {
        Some(end) => format!("{}...", said[..end].trim_end()),
        None => said.to_owned(),
    }
}

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
    use super::{said, without_values};

    #[test]
    fn what_is_quoted_of_private_calls_is_cut() {
        for (text, expected) in [
            (
                "Invalid input for field/attribute user_data. Value: abc. abc is too long",
                "Invalid input for field/attribute user_data....",
            ),
            ("Invalid input for field 'secret': 123 is not of type 'string'", "Invalid input for field 'secret'..."),
            ("No valid host was found.", "No valid host was found."),
        ] {
            assert_eq!(without_values(text), expected);
        }
        assert_eq!(without_values(&"a".repeat(400)).len(), 303);
    }

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
