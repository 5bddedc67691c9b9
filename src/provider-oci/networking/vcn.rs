//! `oci_core_vcn`: a network.

use async_trait::async_trait;
use pipectl_cloud::settling::settled;
use pipectl_cloud::{Cloud as _, Fields, differs};
use pipectl_core::{Diagnostic, Diagnostics, Type, Value};
use pipectl_http::Method;
use pipectl_oci_client::Service;
use pipectl_provider::arguments::texts;
use pipectl_provider::rules::conflicts;
use serde_json::{Map, Value as Json, json};

use crate::cloud::Cloud;
use crate::endpoint::ETAG;
use crate::kind::{Fault, Kind, More, NOT_IN_PLACE, Place, SETTLES, USUAL, either, named, option, text, told};

pub(crate) struct Vcn;

#[async_trait]
impl Kind for Vcn {
    type Cloud = Cloud;

    const TYPE: &'static str = "oci_core_vcn";
    const NOUN: &'static str = "VCN";
    const SERVICE: Service = Service::Core;
    const COLLECTION: &'static str = "vcns";

    fn fields() -> Fields {
        let list = || Type::list(Type::String);
        named("A virtual cloud network: addresses that are one's own.")
            .named(
                "cidr_block",
                "cidrBlock",
                either(Type::String, "Its addresses. `cidr_blocks` takes several.").forces_replacement(),
            )
            .named("cidr_blocks", "cidrBlocks", either(list(), "Its addresses. They may be added to and taken from."))
            .named("dns_label", "dnsLabel", either(Type::String, "Its name in host names.").forces_replacement())
            .equivalent("cidr_blocks", is_same_set)
            .any_case(["dns_label"])
            .named("is_ipv6enabled", "isIpv6Enabled", either(Type::Bool, "Whether it has IPv6 addresses."))
            .named(
                "is_oracle_gua_allocation_enabled",
                "isOracleGuaAllocationEnabled",
                option(Type::Bool, "Whether Oracle gives a new one IPv6 addresses. Default true."),
            )
            .named("ipv6private_cidr_blocks", "ipv6PrivateCidrBlocks", either(list(), "Its private IPv6 addresses."))
            .named("byoipv6cidr_blocks", "byoipv6CidrBlocks", told(list(), "IPv6 addresses that were brought along."))
            .named("ipv6cidr_blocks", "ipv6CidrBlocks", told(list(), "IPv6 addresses that Oracle gave."))
            .named("default_dhcp_options_id", "defaultDhcpOptionsId", told(Type::String, "Its DHCP options."))
            .named("default_route_table_id", "defaultRouteTableId", told(Type::String, "Its route table."))
            .named("default_security_list_id", "defaultSecurityListId", told(Type::String, "Its security list."))
            .named("vcn_domain_name", "vcnDomainName", told(Type::String, "The domain of its host names."))
            .times(USUAL)
    }

    fn validate(config: &Value) -> Diagnostics {
        conflicts(config, "cidr_block", &["cidr_blocks"])
    }

    fn changes(fields: &Fields, prior: &Value, planned: &Value) -> Map<String, Json> {
        let mut changes = fields.changes(prior, planned);
        // They have calls of their own.
        for member in ["cidrBlocks", "isIpv6Enabled", "isOracleGuaAllocationEnabled", "ipv6PrivateCidrBlocks"] {
            changes.remove(member);
        }
        changes
    }

    async fn more(_at: &Place<'_>, object: &Json, _known: &Value) -> Result<More, Fault> {
        let has_some = |member: &str| {
            let blocks = object.get(member).and_then(Json::as_array);
            blocks.is_some_and(|blocks| !blocks.is_empty())
        };
        let is_enabled = ["ipv6CidrBlocks", "ipv6PrivateCidrBlocks", "byoipv6CidrBlocks"].into_iter().any(has_some);
        Ok([("is_ipv6enabled".to_owned(), is_enabled.into())].into())
    }

    async fn update(at: &Place<'_>, id: &str, prior: &Value, planned: &Value) -> Result<bool, Fault> {
        if ["is_ipv6enabled", "ipv6private_cidr_blocks"].iter().any(|name| differs(prior, planned, name)) {
            let detail = "IPv6 addresses of a network that is there are not added or taken away here.";
            let hint = format!("oci network vcn add-ipv6-vcn-cidr --vcn-id {id}");
            return Err(Diagnostic::error(NOT_IN_PLACE, detail).hint(hint).into());
        }
        let (before, now) = (texts(prior, "cidr_blocks"), texts(planned, "cidr_blocks"));
        if !now.is_empty() {
            let new = now.iter().filter(|block| !before.contains(block)).map(|block| ("addCidr", block));
            let old = before.iter().filter(|block| !now.contains(block)).map(|block| ("removeCidr", block));
            for (action, block) in new.chain(old) {
                let seen = settled::<Self>(at, id, planned, SETTLES, None).await?;
                let body = json!({ "cidrBlock": block });
                let path = [Self::COLLECTION, id, "actions", action];
                let is_done = |vcn: &Json| {
                    let blocks = vcn.get("cidrBlocks").and_then(Json::as_array).into_iter().flatten();
                    blocks.into_iter().any(|there| there == *block) == (action == "addCidr")
                };
                at.endpoint.change_to(Method::POST, &path, &body, text(&seen, ETAG).as_deref(), is_done).await?;
            }
            if before != now {
                settled::<Self>(at, id, planned, SETTLES, None).await?;
            }
        }
        Cloud::update::<Self>(at, id, prior, planned).await
    }
}

/// OCI has its own order.
fn is_same_set(one: &Value, other: &Value) -> bool {
    let sorted = |value: &Value| {
        let mut texts: Vec<String> =
            value.as_slice().unwrap_or_default().iter().filter_map(|text| text.as_str().map(str::to_owned)).collect();
        texts.sort();
        texts
    };
    sorted(one) == sorted(other)
}
