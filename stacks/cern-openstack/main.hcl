# A cluster of Kubernetes on CERN's OpenStack, or any other with Magnum, with pools of nodes for training.
#
#   export PIPECTL_PASSPHRASE=..
#   OS_CLOUD=cern pipectl apply stacks/cern-openstack -var keypair=lxplus
#
# The state holds a key that opens the cluster, so it is encrypted.

pipeline "cern-openstack" {
  encryption {
    passphrase = secret("env:PIPECTL_PASSPHRASE")
  }
}

variable "name" {
  description = "What people call the cluster."
  type        = string
  default     = "training"
}

variable "template" {
  description = "The name of the template, which says the version of Kubernetes. openstack coe cluster template list"
  type        = string
  default     = "kubernetes-1.33.3-1"
}

variable "keypair" {
  description = "The key pair that opens the nodes."
  type        = string
}

variable "node_count" {
  description = "Nodes of the cluster itself, for what is not a training."
  type        = number
  default     = 1
}

variable "flavor" {
  description = "What each of these is."
  type        = string
  default     = "m2.large"
}

variable "labels" {
  description = "Labels, beside those of the template."
  type        = map(string)
  default     = { cvmfs_enabled = "true" }
}

variable "pools" {
  description = "Pools of nodes, by name."
  type = map(object({
    flavor = string
    size   = number
  }))
  # The nodes of the original: 16 cores each. GPUs are a matter of quota: gpu = { flavor = "g4.p1.40g", size = 1 }
  default = {
    cpu = { flavor = "m2.4xlarge", size = 2 }
  }
}

module "cluster" {
  source = "../../modules/kubernetes-cluster/openstack"

  name       = var.name
  template   = var.template
  keypair    = var.keypair
  node_count = var.node_count
  flavor     = var.flavor
  labels     = var.labels
}

module "pool" {
  source   = "../../modules/node-pool/openstack"
  for_each = var.pools

  cluster = module.cluster
  name    = each.key
  size    = each.value.size
  flavor  = each.value.flavor
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
