# A cluster of Kubernetes on Oracle Cloud Infrastructure, with pools of nodes for training, and a bucket for what they read and write.
#
#   export PIPECTL_PASSPHRASE=..
#   pipectl apply stacks/oci -var compartment_id=ocid1.compartment.oc1..aaaa
#
# Who asks is proven as with every tool of Oracle's: ~/.oci/config, or see docs/src/reference/oci.md. The state holds what opens the cluster, so it
# is encrypted.

pipeline "oci" {
  encryption {
    passphrase = secret("env:PIPECTL_PASSPHRASE")
  }
}

variable "compartment_id" {
  description = "The compartment that everything is made in."
  type        = string
}

variable "region" {
  description = "eu-frankfurt-1. Default: the profile's."
  type        = string
  default     = null
}

variable "name" {
  description = "What people call the cluster, its network and its bucket."
  type        = string
  default     = "training"
}

variable "kubernetes_version" {
  description = "The version of Kubernetes, as OKE names it."
  type        = string
  default     = "v1.33.1"
}

variable "pools" {
  description = "Pools of nodes, by name. A flexible shape takes `ocpus` and `memory_in_gbs`."
  type = map(object({
    shape         = string
    size          = number
    ocpus         = optional(number)
    memory_in_gbs = optional(number)
  }))
  # The nodes of the original: 16 cores each. Of those with a GPU none is paid for until somebody asks for it.
  default = {
    cpu = { shape = "VM.Standard.E4.Flex", size = 2, ocpus = 16, memory_in_gbs = 128 }
    gpu = { shape = "VM.GPU.A10.1", size = 0 }
  }
}

variable "allowed" {
  description = "Ranges of addresses outside the network that may reach the endpoint of Kubernetes. Without any, it is reached from the network alone."
  type        = list(string)
  default     = []
}

variable "endpoint_overrides" {
  description = "Addresses in the place of the region's, by service."
  type        = map(string)
  default     = {}
}

provider "oci" {
  region             = var.region
  endpoint_overrides = var.endpoint_overrides
}

module "network" {
  source = "../../modules/network/oci"

  compartment_id = var.compartment_id
  name           = var.name
  allowed        = var.allowed
}

module "cluster" {
  source = "../../modules/kubernetes-cluster/oci"

  compartment_id     = var.compartment_id
  name               = var.name
  kubernetes_version = var.kubernetes_version
  network            = module.network
}

module "pool" {
  source   = "../../modules/node-pool/oci"
  for_each = var.pools

  compartment_id = var.compartment_id
  cluster        = module.cluster
  subnet_id      = module.network.nodes_subnet_id
  name           = each.key
  size           = each.value.size
  shape          = each.value.shape
  ocpus          = each.value.ocpus
  memory_in_gbs  = each.value.memory_in_gbs
}

module "bucket" {
  source = "../../modules/bucket/oci"

  compartment_id = var.compartment_id
  name           = var.name
}

output "cluster_id" {
  value = module.cluster.id
}

output "endpoint" {
  value = module.cluster.endpoint
}

output "kubeconfig" {
  value     = module.cluster.kubeconfig
  sensitive = true
}

output "nodes" {
  value = { for name, pool in module.pool : name => pool.node_count }
}

output "bucket" {
  value = module.bucket.name
}
