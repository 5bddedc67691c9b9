//! Regions, the realms that they belong to, and the names that their servers have there.
//!
//! The tables are those of Oracle's SDK for Python, 2.189.0. A region that is not in them is taken for one of the commercial realm, as the SDKs do,
//! unless `OCI_REGION_METADATA` or `OCI_DEFAULT_REALM` say otherwise.

use serde_json::Value as Json;

use crate::Environment;

/// A region with the domain of its servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// Its name: `eu-frankfurt-1`.
    pub name: String,
    /// The domain of its realm: `oraclecloud.com`.
    pub domain: String,
}

impl Region {
    /// A region by its name or its short name (`fra`).
    pub fn of(given: &str, environment: &dyn Environment) -> Self {
        let given = given.trim().to_lowercase();
        let metadata: Option<Json> =
            environment.variable("OCI_REGION_METADATA").and_then(|text| serde_json::from_str(&text).ok());
        let told = |name: &str| metadata.as_ref().and_then(|metadata| metadata.get(name)?.as_str());
        if told("regionKey").is_some_and(|key| key.eq_ignore_ascii_case(&given))
            || told("regionIdentifier") == Some(&given)
        {
            let name = told("regionIdentifier").unwrap_or(&given).to_owned();
            if let Some(domain) = told("realmDomainComponent") {
                return Self { name, domain: domain.to_owned() };
            }
        }
        let name = SHORT_NAMES.iter().find(|(short, _)| *short == given).map_or(given.as_str(), |(_, name)| name);
        let domain = realm_domain(name)
            .map(str::to_owned)
            .or_else(|| environment.variable("OCI_DEFAULT_REALM").filter(|domain| !domain.is_empty()));
        Self { name: name.to_owned(), domain: domain.unwrap_or_else(|| COMMERCIAL.to_owned()) }
    }
}

const COMMERCIAL: &str = "oraclecloud.com";

/// The domain of the realm of a region that is known.
pub fn realm_domain(region: &str) -> Option<&'static str> {
    let other = REALMS.iter().find(|(_, regions)| regions.contains(&region)).map(|(domain, _)| *domain);
    other.or_else(|| SHORT_NAMES.iter().any(|(_, name)| *name == region).then_some(COMMERCIAL))
}

/// Regions by the short names that the metadata of instances may have for them.
const SHORT_NAMES: [(&str, &str); 85] = [
    ("aga", "us-saltlake-2"),
    ("ahu", "me-abudhabi-3"),
    ("ams", "eu-amsterdam-1"),
    ("arn", "eu-stockholm-1"),
    ("auh", "me-abudhabi-1"),
    ("avf", "eu-crissier-1"),
    ("avz", "eu-dcc-zurich-1"),
    ("beg", "eu-jovanovac-1"),
    ("bgy", "eu-dcc-milan-1"),
    ("bno", "ap-chuncheon-2"),
    ("bog", "sa-bogota-1"),
    ("bom", "ap-mumbai-1"),
    ("brs", "uk-gov-cardiff-1"),
    ("cdg", "eu-paris-1"),
    ("cwl", "uk-cardiff-1"),
    ("dac", "ap-dcc-gazipur-1"),
    ("dln", "ap-suwon-1"),
    ("doh", "me-dcc-doha-1"),
    ("dtm", "eu-dcc-rating-2"),
    ("dtz", "ap-seoul-2"),
    ("dus", "eu-dcc-rating-1"),
    ("dxb", "me-dubai-1"),
    ("ebb", "us-somerset-1"),
    ("ebl", "us-thames-1"),
    ("fra", "eu-frankfurt-1"),
    ("gru", "sa-saopaulo-1"),
    ("hnw", "sa-riodejaneiro-1"),
    ("hsg", "ap-batam-1"),
    ("hyd", "ap-hyderabad-1"),
    ("iad", "us-ashburn-1"),
    ("ibr", "me-ibri-1"),
    ("icn", "ap-seoul-1"),
    ("jbp", "ap-kulai-2"),
    ("jed", "me-jeddah-1"),
    ("jnb", "af-johannesburg-1"),
    ("jsk", "eu-budapest-1"),
    ("kix", "ap-osaka-1"),
    ("lej", "af-casablanca-1"),
    ("lfi", "us-langley-1"),
    ("lhr", "uk-london-1"),
    ("lin", "eu-milan-1"),
    ("ltn", "uk-gov-london-1"),
    ("luf", "us-luke-1"),
    ("mad", "eu-madrid-1"),
    ("mct", "me-dcc-muscat-1"),
    ("mel", "ap-melbourne-1"),
    ("mrs", "eu-marseille-1"),
    ("mty", "mx-monterrey-1"),
    ("mtz", "il-jerusalem-1"),
    ("mxp", "eu-dcc-milan-2"),
    ("nja", "ap-chiyoda-1"),
    ("nrq", "eu-turin-1"),
    ("nrt", "ap-tokyo-1"),
    ("onm", "ap-delhi-1"),
    ("ord", "us-chicago-1"),
    ("orf", "eu-madrid-3"),
    ("ork", "eu-dcc-dublin-1"),
    ("pgc", "us-newark-1"),
    ("phx", "us-phoenix-1"),
    ("pia", "us-gov-chicago-1"),
    ("qro", "mx-queretaro-1"),
    ("rba", "me-alain-1"),
    ("ric", "us-gov-ashburn-1"),
    ("rkt", "me-abudhabi-2"),
    ("ruh", "me-riyadh-1"),
    ("scl", "sa-santiago-1"),
    ("shj", "me-abudhabi-4"),
    ("sin", "ap-singapore-1"),
    ("sjc", "us-sanjose-1"),
    ("snn", "eu-dcc-dublin-2"),
    ("str", "eu-frankfurt-2"),
    ("syd", "ap-sydney-1"),
    ("tus", "us-gov-phoenix-1"),
    ("ukb", "ap-ibaraki-1"),
    ("vap", "sa-valparaiso-1"),
    ("vcp", "sa-vinhedo-1"),
    ("vll", "eu-madrid-2"),
    ("vve", "me-alrayyan-1"),
    ("wga", "ap-dcc-canberra-1"),
    ("xsp", "ap-singapore-2"),
    ("yny", "ap-chuncheon-1"),
    ("yul", "ca-montreal-1"),
    ("yxj", "us-ashburn-2"),
    ("yyz", "ca-toronto-1"),
    ("zrh", "eu-zurich-1"),
];

/// Domains of other realms than the commercial one, with their regions.
const REALMS: [(&str, &[&str]); 18] = [
    ("oraclegovcloud.com", &["us-langley-1", "us-luke-1", "us-gov-ashburn-1", "us-gov-chicago-1", "us-gov-phoenix-1"]),
    ("oraclegovcloud.uk", &["uk-gov-london-1", "uk-gov-cardiff-1"]),
    ("oraclecloud8.com", &["ap-chiyoda-1", "ap-ibaraki-1"]),
    ("oraclecloud9.com", &["me-dcc-muscat-1", "me-ibri-1"]),
    ("oraclecloud10.com", &["ap-dcc-canberra-1"]),
    (
        "oraclecloud14.com",
        &[
            "eu-dcc-milan-1",
            "eu-dcc-milan-2",
            "eu-dcc-dublin-2",
            "eu-dcc-rating-2",
            "eu-dcc-rating-1",
            "eu-dcc-dublin-1",
        ],
    ),
    ("oraclecloud15.com", &["ap-dcc-gazipur-1"]),
    ("oraclecloud.eu", &["eu-madrid-2", "eu-frankfurt-2"]),
    ("oraclecloud20.com", &["eu-jovanovac-1"]),
    ("oraclecloud21.com", &["me-dcc-doha-1", "me-alrayyan-1"]),
    ("oraclecloud23.com", &["us-somerset-1", "us-thames-1"]),
    ("oraclecloud24.com", &["eu-dcc-zurich-1", "eu-crissier-1"]),
    ("oraclecloud26.com", &["me-abudhabi-3", "me-alain-1"]),
    ("oraclecloud29.com", &["me-abudhabi-2", "me-abudhabi-4"]),
    ("oraclecloud35.com", &["ap-seoul-2", "ap-suwon-1", "ap-chuncheon-2"]),
    ("oraclecloud42.com", &["us-ashburn-2", "us-newark-1"]),
    ("oraclecloud51.com", &["eu-budapest-1"]),
    ("oraclecloud52.com", &["sa-riodejaneiro-1"]),
];
