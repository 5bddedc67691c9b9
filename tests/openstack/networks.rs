//! Networks, subnets, routers, security groups, key pairs; flavors and images.

use super::bed::{Bed, PUBLIC_KEY, listed, openstack, seen};

fn text() -> String {
    format!(
        r#"
variable "name" {{
  default = "net-a"
}}

variable "cidr" {{
  default = "10.7.0.0/24"
}}

variable "tags" {{
  type    = set(string)
  default = ["a", "b"]
}}

data "openstack_compute_flavor_v2" "small" {{
  vcpus = 1
}}

data "openstack_images_image_v2" "coreos" {{
  name        = "fedora-coreos-test"
  most_recent = true
}}

resource "openstack_compute_keypair_v2" "key" {{
  name       = "net-key"
  public_key = "{PUBLIC_KEY}"
}}

resource "openstack_networking_network_v2" "net" {{
  name           = var.name
  description    = "of a test"
  admin_state_up = true
  tags           = var.tags
}}

resource "openstack_networking_subnet_v2" "sub" {{
  name            = "net-sub"
  network_id      = openstack_networking_network_v2.net.id
  cidr            = var.cidr
  dns_nameservers = ["10.7.0.2"]
  tags            = ["a"]

  allocation_pool {{
    start = cidrhost(var.cidr, 100)
    end   = cidrhost(var.cidr, 120)
  }}
  allocation_pool {{
    start = cidrhost(var.cidr, 10)
    end   = cidrhost(var.cidr, 20)
  }}
}}

resource "openstack_networking_subnet_v2" "plain" {{
  network_id = openstack_networking_network_v2.net.id
  cidr       = "10.8.0.0/24"
  no_gateway = true
}}

resource "openstack_networking_router_v2" "router" {{
  name                = "net-router"
  external_network_id = "{external}"
  timeouts {{
    create = "5m"
  }}
}}

resource "openstack_networking_router_interface_v2" "if" {{
  router_id = openstack_networking_router_v2.router.id
  subnet_id = openstack_networking_subnet_v2.sub.id
}}

resource "openstack_networking_secgroup_v2" "group" {{
  name                 = "net-group"
  description          = "of a test"
  delete_default_rules = true
}}

resource "openstack_networking_secgroup_rule_v2" "ssh" {{
  security_group_id = openstack_networking_secgroup_v2.group.id
  direction         = "ingress"
  ethertype         = "IPv4"
  protocol          = "tcp"
  port_range_min    = 22
  port_range_max    = 22
  remote_ip_prefix  = "10.0.0.0/8"
}}

output "image" {{
  value = data.openstack_images_image_v2.coreos.properties["os_distro"]
}}

output "flavor" {{
  value = data.openstack_compute_flavor_v2.small.name
}}

output "network" {{
  value = openstack_networking_network_v2.net.id
}}

output "group" {{
  value = openstack_networking_secgroup_v2.group.id
}}

output "router" {{
  value = openstack_networking_router_v2.router.id
}}
"#,
        external = seen(&["network", "show", "external"])["id"].as_str().unwrap(),
    )
}

#[test]
fn networks_from_the_first_apply_to_nothing() {
    let mut bed = Bed::new(&text());
    bed.apply();
    bed.has_no_changes();
    assert_eq!((bed.output("image").as_str(), bed.output("flavor").as_str()), ("fedora-coreos", "m2.small"));
    let group = bed.output("group");
    let rules = seen(&["security", "group", "rule", "list", &group]);
    assert_eq!(rules.as_array().unwrap().len(), 1, "the default rules are gone: {rules}");

    // Changed in place.
    let network = bed.output("network");
    bed.set("name", "net-b");
    bed.set("tags", "[\"b\", \"c\"]");
    openstack(&["network", "set", "--tag", "theirs", &network]);
    bed.apply();
    let now = seen(&["network", "show", &network]);
    assert_eq!((now["name"].as_str(), now["tags"].clone()), (Some("net-b"), serde_json::json!(["b", "c", "theirs"])));
    bed.has_no_changes();

    // What somebody else changes is put right.
    openstack(&["network", "set", "--name", "net-x", "--disable", &network]);
    openstack(&["router", "unset", "--external-gateway", &bed.output("router")]);
    let planned = bed.plans();
    assert!(planned.contains("net-x") && planned.contains("external_network_id"), "{planned}");
    bed.apply();
    assert_eq!(seen(&["network", "show", &network])["name"], "net-b");
    bed.has_no_changes();

    // What somebody else removes is made again, and what cannot be changed is replaced.
    openstack(&["keypair", "delete", "net-key"]);
    bed.set("cidr", "10.7.1.0/24");
    let planned = bed.plans();
    assert!(
        planned.contains("argument `cidr` forces replacement") && planned.contains("it was removed outside"),
        "{planned}"
    );
    bed.apply();
    bed.has_no_changes();

    bed.destroy();
    for list in [
        &["network", "list"][..],
        &["subnet", "list"],
        &["router", "list"],
        &["security", "group", "list"],
        &["keypair", "list"],
    ] {
        assert_eq!(listed(list, "net-"), Vec::<String>::new(), "{list:?}");
    }
}

#[test]
fn what_is_there_is_imported() {
    let bed = Bed::new(
        r#"
resource "openstack_networking_network_v2" "net" {
  name = "imported"
}

resource "openstack_networking_router_v2" "router" {
  name = "imported"
}
"#,
    );
    let network = openstack(&["network", "create", "imported", "-f", "value", "-c", "id"]);
    let router = openstack(&["router", "create", "imported", "-f", "value", "-c", "id"]);
    for (address, id) in
        [("openstack_networking_network_v2.net", &network), ("openstack_networking_router_v2.router", &router)]
    {
        let (text, code) = bed.run(&["import", address, id.trim()]);
        assert_eq!(code, Some(0), "{text}");
    }
    bed.has_no_changes();
    bed.destroy();
    assert_eq!(listed(&["network", "list"], "imported"), Vec::<String>::new());
    assert_eq!(listed(&["router", "list"], "imported"), Vec::<String>::new());
}

#[test]
fn what_neutron_refuses_is_told_in_its_words() {
    let bed = Bed::new(
        r#"
resource "openstack_networking_network_v2" "net" {
  name = "refused"
}

resource "openstack_networking_subnet_v2" "sub" {
  network_id = openstack_networking_network_v2.net.id
  cidr       = "10.7.0.0/24"
  gateway_ip = "10.7.0.300"
}
"#,
    );
    let text = bed.fails_to_apply();
    assert!(text.contains("Creation failed") && text.contains("10.7.0.300"), "{text}");
    assert!(text.contains("The id of the request is req-"), "{text}");
    bed.destroy();
}
