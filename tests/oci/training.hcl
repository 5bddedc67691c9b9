variable "endpoint" { type = string }
variable "compartment" { type = string }
variable "namespace" { type = string }
variable "nodes" {
  type    = number
  default = 1
}
variable "label" {
  type    = string
  default = "training"
}
variable "content" {
  type    = string
  default = "x,y\n"
}

provider "oci" {
  endpoint_overrides = { for name in ["iaas", "containerengine", "objectstorage", "identity", "auth"] : name => var.endpoint }
}

data "oci_identity_availability_domains" "all" {
  compartment_id = var.compartment
}

data "oci_containerengine_node_pool_option" "all" {
  node_pool_option_id = "all"
}

data "oci_core_services" "all" {
  filter {
    name   = "name"
    values = ["All .* Services In Oracle Services Network"]
    regex  = true
  }
}

locals {
  version = "v1.33.1"
  images  = [for source in data.oci_containerengine_node_pool_option.all.sources : source.image_id if strcontains(source.source_name, "OKE-1.33.1")]
}

resource "oci_core_vcn" "main" {
  compartment_id = var.compartment
  cidr_blocks    = ["10.0.0.0/16"]
  display_name   = "training"
  dns_label      = var.label
}

resource "oci_core_internet_gateway" "main" {
  compartment_id = var.compartment
  vcn_id         = oci_core_vcn.main.id
}

resource "oci_core_nat_gateway" "main" {
  compartment_id = var.compartment
  vcn_id         = oci_core_vcn.main.id
}

resource "oci_core_service_gateway" "main" {
  compartment_id = var.compartment
  vcn_id         = oci_core_vcn.main.id
  services {
    service_id = data.oci_core_services.all.services[0].id
  }
}

resource "oci_core_route_table" "private" {
  compartment_id = var.compartment
  vcn_id         = oci_core_vcn.main.id
  route_rules {
    network_entity_id = oci_core_nat_gateway.main.id
    destination       = "0.0.0.0/0"
    destination_type  = "CIDR_BLOCK"
  }
  route_rules {
    network_entity_id = oci_core_service_gateway.main.id
    destination       = data.oci_core_services.all.services[0].cidr_block
    destination_type  = "SERVICE_CIDR_BLOCK"
  }
}

resource "oci_core_security_list" "inside" {
  compartment_id = var.compartment
  vcn_id         = oci_core_vcn.main.id
  egress_security_rules {
    destination = "0.0.0.0/0"
    protocol    = "all"
  }
  ingress_security_rules {
    source   = "10.0.0.0/16"
    protocol = "all"
  }
}

resource "oci_core_network_security_group" "api" {
  compartment_id = var.compartment
  vcn_id         = oci_core_vcn.main.id
  display_name   = "api"
}

resource "oci_core_network_security_group_security_rule" "api" {
  network_security_group_id = oci_core_network_security_group.api.id
  direction                 = "INGRESS"
  protocol                  = "6"
  source                    = "10.0.0.0/16"
  source_type               = "CIDR_BLOCK"
  tcp_options {
    destination_port_range {
      min = 6443
      max = 6443
    }
  }
}

resource "oci_core_subnet" "api" {
  compartment_id = var.compartment
  vcn_id         = oci_core_vcn.main.id
  cidr_block     = "10.0.0.0/24"
  display_name   = "api"
}

resource "oci_core_subnet" "nodes" {
  compartment_id             = var.compartment
  vcn_id                     = oci_core_vcn.main.id
  cidr_block                 = "10.0.1.0/24"
  display_name               = "nodes"
  prohibit_public_ip_on_vnic = true
  route_table_id             = oci_core_route_table.private.id
  security_list_ids          = [oci_core_security_list.inside.id]
}

resource "oci_containerengine_cluster" "main" {
  compartment_id     = var.compartment
  vcn_id             = oci_core_vcn.main.id
  name               = "training"
  kubernetes_version = local.version
  cluster_pod_network_options {
    cni_type = "FLANNEL_OVERLAY"
  }
  endpoint_config {
    subnet_id = oci_core_subnet.api.id
    nsg_ids   = [oci_core_network_security_group.api.id]
  }
}

resource "oci_containerengine_node_pool" "cpu" {
  compartment_id     = var.compartment
  cluster_id         = oci_containerengine_cluster.main.id
  name               = "cpu"
  kubernetes_version = local.version
  node_shape         = "VM.Standard.E4.Flex"
  node_shape_config {
    ocpus         = 2
    memory_in_gbs = 16
  }
  node_source_details {
    source_type = "IMAGE"
    image_id    = local.images[0]
  }
  node_config_details {
    size = var.nodes
    dynamic "placement_configs" {
      for_each = data.oci_identity_availability_domains.all.availability_domains
      content {
        availability_domain = placement_configs.value.name
        subnet_id           = oci_core_subnet.nodes.id
      }
    }
  }
}

resource "oci_objectstorage_bucket" "data" {
  compartment_id = var.compartment
  namespace      = var.namespace
  name           = "data"
}

resource "oci_objectstorage_object" "rows" {
  namespace = var.namespace
  bucket    = oci_objectstorage_bucket.data.name
  object    = "dir/rows.csv"
  content   = var.content
}

output "cluster" {
  value = oci_containerengine_cluster.main.id
}

output "pool" {
  value = oci_containerengine_node_pool.cpu.id
}

output "nodes" {
  value = length(oci_containerengine_node_pool.cpu.nodes)
}
