//! The catalogue of services that comes with a token.

use pipectl_core::Diagnostic;
use pipectl_http::Url;
use serde::Deserialize;

use super::web_address;

/// Services and where they answer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Catalog(Vec<Entry>);

#[derive(Clone, Debug, Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    endpoints: Vec<Endpoint>,
}

#[derive(Clone, Debug, Deserialize)]
struct Endpoint {
    interface: String,
    region: Option<String>,
    region_id: Option<String>,
    url: String,
}

/// Why there is no endpoint.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Absent {
    /// The cloud has no such service; those that it has.
    Service(Vec<String>),
    /// It has the service elsewhere: its regions.
    Region(Vec<String>),
    /// It has none for this interface.
    Interface,
    /// What the catalogue says is no address of the web.
    Url(String),
}

impl Catalog {
    /// Where a service answers: the first of its types that the cloud has.
    pub(crate) fn endpoint(&self, types: &[&str], region: Option<&str>, interface: &str) -> Result<Url, Absent> {
        let of_type = |kind: &&str| self.0.iter().filter(move |entry| entry.kind == **kind).collect::<Vec<_>>();
        let Some(entries) = types.iter().map(of_type).find(|entries| !entries.is_empty()) else {
            let mut known: Vec<_> = self.0.iter().map(|entry| entry.kind.clone()).collect();
            known.sort();
            known.dedup();
            return Err(Absent::Service(known));
        };
        let endpoints: Vec<_> = entries.iter().flat_map(|entry| &entry.endpoints).collect();
        let is_there = |endpoint: &&&Endpoint| region.is_none_or(|region| endpoint.regions().any(|its| its == region));
        let here: Vec<_> = endpoints.iter().filter(is_there).collect();
        if here.is_empty() {
            let mut regions: Vec<_> =
                endpoints.iter().filter_map(|endpoint| endpoint.regions().next().map(str::to_owned)).collect();
            regions.sort();
            regions.dedup();
            return Err(Absent::Region(regions));
        }
        let found = here.iter().find(|endpoint| endpoint.interface == interface).ok_or(Absent::Interface)?;
        web_address(&found.url).ok_or_else(|| Absent::Url(found.url.clone()))
    }
}

impl Absent {
    /// The same for people.
    pub(crate) fn diagnostic(&self, service: &str, region: Option<&str>, interface: &str) -> Diagnostic {
        let region = region.map(|region| format!(" in the region `{region}`")).unwrap_or_default();
        let detail = match self {
            Absent::Service(known) => {
                format!("The cloud has no service `{service}` for this project; it has: {}.", known.join(", "))
            }
            Absent::Region(known) => {
                format!("The service `{service}` does not answer{region}; it does in: {}.", known.join(", "))
            }
            Absent::Interface => format!("The service `{service}` has no {interface} endpoint{region}."),
            Absent::Url(url) => {
                format!(
                    "The catalogue says that the service `{service}` answers at `{url}`, which is no URL that begins with `http://` or `https://`."
                )
            }
        };
        let diagnostic = Diagnostic::error("Service not found", detail);
        match self {
            Absent::Region(_) => diagnostic.hint("Give another `region` in the provider block, or OS_REGION_NAME."),
            Absent::Interface => {
                diagnostic.hint("Give another `endpoint_type` in the provider block, or OS_INTERFACE.")
            }
            Absent::Service(_) => diagnostic.hint("Is the project the right one? openstack catalog list"),
            Absent::Url(_) => diagnostic,
        }
    }
}

impl Endpoint {
    fn regions(&self) -> impl Iterator<Item = &str> {
        self.region_id.as_deref().into_iter().chain(self.region.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn catalog() -> Catalog {
        let endpoint = |region: &str, interface: &str| json!({ "region_id": region, "region": region, "interface": interface, "url": format!("https://{interface}.{region}/v1") });
        serde_json::from_value(json!([
            { "type": "compute", "endpoints": [endpoint("cern", "public"), endpoint("cern", "internal"), endpoint("pdc", "public")] },
            { "type": "container-infra", "endpoints": [endpoint("cern", "public")] },
            { "type": "image" },
        ]))
        .unwrap()
    }

    #[test]
    fn endpoints_are_of_a_type_a_region_and_an_interface() {
        let catalog = catalog();
        let url =
            |types: &[&str], region, interface| catalog.endpoint(types, region, interface).map(|url| url.to_string());
        assert_eq!(url(&["compute"], Some("pdc"), "public"), Ok("https://public.pdc/v1".to_owned()));
        assert_eq!(url(&["compute"], None, "internal"), Ok("https://internal.cern/v1".to_owned()));
        let types = ["container-infrastructure-management", "container-infra"];
        assert_eq!(url(&types, Some("cern"), "public"), Ok("https://public.cern/v1".to_owned()));
        assert_eq!(url(&["compute"], Some("geneva"), "public"), Err(Absent::Region(vec!["cern".into(), "pdc".into()])));
        assert_eq!(url(&["compute"], Some("pdc"), "admin"), Err(Absent::Interface));
        let odd = json!([{ "type": "image", "endpoints": [{ "interface": "public", "url": "glance.cern.ch:9292" }] }]);
        let odd: Catalog = serde_json::from_value(odd).unwrap();
        assert!(matches!(odd.endpoint(&["image"], None, "public"), Err(Absent::Url(_))));
        let known = ["compute", "container-infra", "image"].map(str::to_owned).to_vec();
        assert_eq!(url(&["network"], None, "public"), Err(Absent::Service(known)));
    }
}
