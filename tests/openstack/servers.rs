//! Servers of Nova: made, changed, resized, stopped, interrupted, removed.

use super::bed::{Bed, PUBLIC_KEY, listed, openstack, seen};

fn text(prefix: &str) -> String {
    format!(
        r##"
variable "flavor" {{
  default = "m2.small"
}}

variable "power" {{
  default = "active"
}}

variable "role" {{
  default = "head"
}}

resource "openstack_networking_network_v2" "net" {{
  name = "{prefix}-net"
}}

resource "openstack_networking_subnet_v2" "sub" {{
  network_id = openstack_networking_network_v2.net.id
  cidr       = "10.9.0.0/24"
}}

resource "openstack_networking_secgroup_v2" "group" {{
  name = "{prefix}-group"
}}

resource "openstack_compute_keypair_v2" "key" {{
  name       = "{prefix}-key"
  public_key = "{PUBLIC_KEY}"
}}

resource "openstack_compute_instance_v2" "vm" {{
  name            = "{prefix}-vm"
  image_name      = "fedora-coreos-test"
  flavor_name     = var.flavor
  key_pair        = openstack_compute_keypair_v2.key.name
  security_groups = [openstack_networking_secgroup_v2.group.name]
  power_state     = var.power
  tags            = ["x"]
  user_data       = "#!/bin/sh\n"
  metadata = {{
    role = var.role
  }}

  network {{
    uuid = openstack_networking_subnet_v2.sub.network_id
  }}
}}

output "id" {{
  value = openstack_compute_instance_v2.vm.id
}}

output "address" {{
  value = openstack_compute_instance_v2.vm.network[0].fixed_ip_v4
}}

output "access" {{
  value = openstack_compute_instance_v2.vm.access_ip_v4
}}
"##
    )
}

fn nothing_is_left(prefix: &str) {
    for list in [&["server", "list"][..], &["network", "list"], &["keypair", "list"], &["port", "list"]] {
        assert_eq!(listed(list, prefix), Vec::<String>::new(), "{list:?}");
    }
}

#[test]
fn a_server_from_the_first_apply_to_nothing() {
    let mut bed = Bed::new(&text("vm"));
    bed.apply();
    bed.has_no_changes();
    let id = bed.output("id");
    let address = bed.output("address");
    assert!(address.starts_with("10.9.0.") && bed.output("access") == address, "{address}");

    bed.set("role", "worker");
    bed.apply();
    bed.set("flavor", "m2.medium");
    bed.apply();
    bed.set("power", "shutoff");
    bed.apply();
    bed.has_no_changes();
    let now = seen(&["server", "show", &id]);
    assert_eq!(now["status"], "SHUTOFF", "{now}");
    assert!(
        now["flavor"].to_string().contains("m2.medium") && now["properties"].to_string().contains("worker"),
        "{now}"
    );
    assert_eq!(bed.output("id"), id, "it is the same server");

    openstack(&["server", "set", "--name", "vm-x", "--property", "theirs=1", &id]);
    let planned = bed.plans();
    assert!(planned.contains("vm-x"), "{planned}");
    bed.apply();
    let now = seen(&["server", "show", &id]);
    assert!(now["name"] == "vm-vm" && now["properties"].to_string().contains("theirs"), "{now}");
    bed.has_no_changes();

    bed.destroy();
    nothing_is_left("vm");
}

#[test]
fn a_server_outlives_the_run_that_made_it() {
    let bed = Bed::new(&text("dead"));
    bed.killed_at("BUILD");
    bed.apply();
    bed.has_no_changes();
    assert_eq!(listed(&["server", "list"], "dead").len(), 1);
    bed.destroy();
    nothing_is_left("dead");
}
