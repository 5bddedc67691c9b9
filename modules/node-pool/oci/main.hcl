# Nodes of a cluster of OKE that are all alike, spread over the availability domains.

variable "compartment_id" {
  description = "The compartment that the nodes are made in."
  type        = string
}

variable "cluster" {
  description = "Whose nodes they are: the module `kubernetes-cluster/oci`."
  type = object({
    id                 = string
    kubernetes_version = string
  })
}

variable "subnet_id" {
  description = "Where they are."
  type        = string
}

variable "name" {
  description = "What people call the pool. Its nodes have the label `pool` with this value."
  type        = string
}

variable "size" {
  description = "How many there are."
  type        = number
}

variable "shape" {
  description = "What each is: VM.Standard.E4.Flex, VM.GPU.A10.1."
  type        = string
}

variable "ocpus" {
  description = "Cores of each, of a flexible shape. A core has two threads, but on Arm."
  type        = number
  default     = null
}

variable "memory_in_gbs" {
  description = "Memory of each, of a flexible shape. Default: what the shape has for each core."
  type        = number
  default     = null
}

variable "image_id" {
  description = "The image of each. Default: the latest of OKE for the version and the shape, so that a newer one is a change of the pool."
  type        = string
  default     = null
}

data "oci_identity_availability_domains" "all" {
  compartment_id = var.compartment_id
}

data "oci_containerengine_node_pool_option" "all" {
  node_pool_option_id = "all"
}

locals {
  has_gpus = strcontains(var.shape, "GPU")
  is_arm   = can(regex("\\.A[0-9]\\.", var.shape))
  images = [
    for source in data.oci_containerengine_node_pool_option.all.sources : source.image_id
    if strcontains(source.source_name, "OKE-${trimprefix(var.cluster.kubernetes_version, "v")}-")
    && strcontains(source.source_name, "GPU") == local.has_gpus
    && strcontains(source.source_name, "aarch64") == local.is_arm
  ]
}

resource "oci_containerengine_node_pool" "this" {
  compartment_id     = var.compartment_id
  cluster_id         = var.cluster.id
  name               = var.name
  kubernetes_version = var.cluster.kubernetes_version
  node_shape         = var.shape

  dynamic "node_shape_config" {
    for_each = var.ocpus == null ? [] : [var.ocpus]
    content {
      ocpus         = node_shape_config.value
      memory_in_gbs = var.memory_in_gbs
    }
  }
  node_source_details {
    source_type = "IMAGE"
    image_id    = var.image_id != null ? var.image_id : try(local.images[0], null)
  }
  node_config_details {
    size = var.size
    dynamic "placement_configs" {
      for_each = data.oci_identity_availability_domains.all.availability_domains
      content {
        availability_domain = placement_configs.value.name
        subnet_id           = var.subnet_id
      }
    }
  }
  initial_node_labels {
    key   = "pool"
    value = var.name
  }

  lifecycle {
    precondition {
      condition     = var.image_id != null || length(local.images) > 0
      error_message = "OKE has no image of ${var.cluster.kubernetes_version} for nodes of the shape ${var.shape}. Set `image_id`, or choose another version."
    }
  }
}

output "id" {
  description = "The pool."
  value       = oci_containerengine_node_pool.this.id
}

output "node_count" {
  description = "How many nodes there are."
  value       = length(oci_containerengine_node_pool.this.nodes)
}
