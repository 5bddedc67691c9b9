# A network for a cluster of OKE: nodes that reach the internet and Oracle's services and cannot be reached from outside, and a subnet for the
# endpoint of Kubernetes.

variable "compartment_id" {
  description = "The compartment that everything is made in."
  type        = string
}

variable "name" {
  description = "What people call the network. Also its DNS label, without what such a label cannot have."
  type        = string
}

variable "cidr" {
  description = "The addresses. A sixteenth of them is for the endpoint, half of them for nodes."
  type        = string
  default     = "10.0.0.0/16"

  validation {
    condition     = can(cidrsubnet(var.cidr, 4, 0))
    error_message = "`${var.cidr}` is no range of addresses that can be split in sixteen."
  }
}

variable "allowed" {
  description = "Ranges of addresses from outside the network that may reach the endpoint of Kubernetes. With any, the endpoint's subnet is public."
  type        = list(string)
  default     = []
}

locals {
  is_public = length(var.allowed) > 0
  label     = substr(replace(lower(var.name), "/[^a-z0-9]/", ""), 0, 15)
}

data "oci_core_services" "all" {
  filter {
    name   = "name"
    values = ["All .* Services In Oracle Services Network"]
    regex  = true
  }
}

resource "oci_core_vcn" "this" {
  compartment_id = var.compartment_id
  cidr_blocks    = [var.cidr]
  display_name   = var.name
  dns_label      = local.label
}

resource "oci_core_internet_gateway" "this" {
  count = local.is_public ? 1 : 0

  compartment_id = var.compartment_id
  vcn_id         = oci_core_vcn.this.id
  display_name   = var.name
}

resource "oci_core_nat_gateway" "this" {
  compartment_id = var.compartment_id
  vcn_id         = oci_core_vcn.this.id
  display_name   = var.name
}

resource "oci_core_service_gateway" "this" {
  compartment_id = var.compartment_id
  vcn_id         = oci_core_vcn.this.id
  display_name   = var.name
  services {
    service_id = data.oci_core_services.all.services[0].id
  }
}

resource "oci_core_route_table" "nodes" {
  compartment_id = var.compartment_id
  vcn_id         = oci_core_vcn.this.id
  display_name   = "${var.name}-nodes"
  route_rules {
    network_entity_id = oci_core_nat_gateway.this.id
    destination       = "0.0.0.0/0"
    destination_type  = "CIDR_BLOCK"
  }
  route_rules {
    network_entity_id = oci_core_service_gateway.this.id
    destination       = data.oci_core_services.all.services[0].cidr_block
    destination_type  = "SERVICE_CIDR_BLOCK"
  }
}

resource "oci_core_route_table" "endpoint" {
  count = local.is_public ? 1 : 0

  compartment_id = var.compartment_id
  vcn_id         = oci_core_vcn.this.id
  display_name   = "${var.name}-endpoint"
  route_rules {
    network_entity_id = oci_core_internet_gateway.this[0].id
    destination       = "0.0.0.0/0"
    destination_type  = "CIDR_BLOCK"
  }
}

# Whatever is in the network may speak with whatever is in it, and with the world.
resource "oci_core_security_list" "inside" {
  compartment_id = var.compartment_id
  vcn_id         = oci_core_vcn.this.id
  display_name   = "${var.name}-inside"
  egress_security_rules {
    destination = "0.0.0.0/0"
    protocol    = "all"
  }
  ingress_security_rules {
    source   = var.cidr
    protocol = "all"
  }
  dynamic "ingress_security_rules" {
    for_each = var.allowed
    content {
      source   = ingress_security_rules.value
      protocol = "6"
      tcp_options {
        min = 6443
        max = 6443
      }
    }
  }
}

resource "oci_core_subnet" "endpoint" {
  compartment_id             = var.compartment_id
  vcn_id                     = oci_core_vcn.this.id
  cidr_block                 = cidrsubnet(var.cidr, 4, 0)
  display_name               = "${var.name}-endpoint"
  prohibit_public_ip_on_vnic = !local.is_public
  route_table_id             = local.is_public ? oci_core_route_table.endpoint[0].id : oci_core_route_table.nodes.id
  security_list_ids          = [oci_core_security_list.inside.id]
}

resource "oci_core_subnet" "nodes" {
  compartment_id             = var.compartment_id
  vcn_id                     = oci_core_vcn.this.id
  cidr_block                 = cidrsubnet(var.cidr, 1, 1)
  display_name               = "${var.name}-nodes"
  prohibit_public_ip_on_vnic = true
  route_table_id             = oci_core_route_table.nodes.id
  security_list_ids          = [oci_core_security_list.inside.id]
}

output "id" {
  description = "The network."
  value       = oci_core_vcn.this.id
}

output "nodes_subnet_id" {
  description = "Where nodes belong."
  value       = oci_core_subnet.nodes.id
}

output "endpoint_subnet_id" {
  description = "Where the endpoint of Kubernetes belongs."
  value       = oci_core_subnet.endpoint.id
}

output "is_public" {
  description = "Whether the endpoint is to be reached from outside."
  value       = local.is_public
}
