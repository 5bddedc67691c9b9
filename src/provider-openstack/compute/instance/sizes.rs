//! Image and flavor, each by id or by name.

use pipectl_cloud::differs;
use pipectl_core::{Diagnostic, Path, Type, Value};
use pipectl_provider::arguments::{optional_text, text as given};
use serde_json::Value as Json;

use super::change::RESIZED;
use crate::cloud::Service;
use crate::kind::{Fault, More, Place, text};

const BOTH: [(&str, &str); 2] = [("image_id", "image_name"), ("flavor_id", "flavor_name")];

/// Where one of both is given and is another one than before, the other one is not known.
pub(super) fn refine(planned: Value, config: &Value, prior: Option<&Value>) -> Value {
    let Some(prior) = prior else { return planned };
    let pairs = BOTH.into_iter().flat_map(|(id, name)| [(id, name), (name, id)]);
    pairs.fold(planned, |planned, (one, other)| {
        let changes = config.set_attribute(one).is_some() && differs(prior, config, one);
        match changes && config.set_attribute(other).is_none() {
            true => planned.with_attribute(other, Value::unknown(Type::String)),
            false => planned,
        }
    })
}

/// The id of the flavor that a server is to have.
pub(super) async fn flavor(at: &Place<'_>, planned: &Value) -> Result<String, Fault> {
    if let Some(id) = given(planned, "flavor_id") {
        return Ok(id.to_owned());
    }
    let name = given(planned, "flavor_name").unwrap_or_default();
    let list = at.endpoint.list(&["flavors", "detail"], &[]).await?;
    only("flavor", name, &list["flavors"], "flavor_name")
}

/// The id of its image, if it starts from one.
pub(super) async fn image(at: &Place<'_>, planned: &Value) -> Result<Option<String>, Fault> {
    if let Some(id) = given(planned, "image_id").filter(|id| !id.is_empty()) {
        return Ok(Some(id.to_owned()));
    }
    let Some(name) = given(planned, "image_name").filter(|name| !name.is_empty()) else { return Ok(None) };
    let images = at.cloud.endpoint(Service::Image, at.region.as_deref()).await?;
    let list = images.list(&["images"], &[("name", name)]).await?;
    only("image", name, &list["images"], "image_name").map(Some)
}

/// The only one of a name.
pub(super) fn only(noun: &str, name: &str, listed: &Json, argument: &str) -> Result<String, Fault> {
    let all = listed.as_array().into_iter().flatten();
    let named = all.filter(|object| object.get("name").and_then(Json::as_str) == Some(name));
    let ids: Vec<String> = named.filter_map(|object| text(object, "id")).collect();
    match ids.as_slice() {
        [id] => Ok(id.clone()),
        [] => {
            let detail = format!("There is no {noun} `{name}`.");
            Err(Diagnostic::error("Nothing found", detail).on(Path::of(argument)).into())
        }
        several => {
            let detail = format!("There is more than one {noun} `{name}`: {}. Give its id.", several.join(", "));
            Err(Diagnostic::error("Several found", detail).on(Path::of(argument)).into())
        }
    }
}

/// Ids and names, both. A name is asked for only where it may be another one than is known.
pub(super) async fn observed(at: &Place<'_>, server: &Json, known: &Value) -> Result<More, Fault> {
    let mut more = More::new();
    let image = server.get("image").and_then(|image| text(image, "id"));
    let mut flavor = server.get("flavor").and_then(|flavor| text(flavor, "id"));
    if text(server, "status").as_deref() == Some(RESIZED)
        && let Some(before) = given(known, "flavor_id")
    {
        // It has another one for good when that is confirmed: until then there is something left to be done.
        flavor = Some(before.to_owned());
    }
    let is_known = |(id, name): (&str, &str), now: &Option<String>| {
        given(known, id) == now.as_deref() && given(known, name).is_some()
    };
    if !is_known(BOTH[0], &image) {
        let name = match &image {
            Some(id) => {
                let images = at.cloud.endpoint(Service::Image, at.region.as_deref()).await?;
                images.look(&["images", id]).await?.and_then(|image| text(&image, "name"))
            }
            None => None,
        };
        more.insert("image_name".to_owned(), optional_text(name.as_deref()));
    }
    if !is_known(BOTH[1], &flavor) {
        let name = match &flavor {
            Some(id) => at.endpoint.look(&["flavors", id]).await?.and_then(|body| text(body.get("flavor")?, "name")),
            None => None,
        };
        more.insert("flavor_name".to_owned(), optional_text(name.as_deref()));
    }
    more.insert("image_id".to_owned(), optional_text(image.as_deref()));
    more.insert("flavor_id".to_owned(), optional_text(flavor.as_deref()));
    Ok(more)
}
