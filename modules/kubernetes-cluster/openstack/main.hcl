# A cluster of Magnum. Its first nodes belong to it; others are in pools of their own.

variable "name" {
  description = "What people call the cluster."
  type        = string
}

variable "template" {
  description = "The name of the template, which says the version of Kubernetes: kubernetes-1.33.3-1."
  type        = string
}

variable "keypair" {
  description = "The key pair that opens the nodes."
  type        = string
}

variable "node_count" {
  description = "How many nodes it has besides those of pools."
  type        = number
  default     = 1
}

variable "flavor" {
  description = "What each of these is. Default: as the template says."
  type        = string
  default     = null
}

variable "master_count" {
  description = "How many nodes run Kubernetes itself. Default: as the template says."
  type        = number
  default     = null
}

variable "labels" {
  description = "Labels, beside those of the template."
  type        = map(string)
  default     = {}
}

data "openstack_containerinfra_clustertemplate_v1" "this" {
  name = var.template
}

resource "openstack_containerinfra_cluster_v1" "this" {
  name                = var.name
  cluster_template_id = data.openstack_containerinfra_clustertemplate_v1.this.id
  keypair             = var.keypair
  node_count          = var.node_count
  flavor              = var.flavor
  master_count        = var.master_count
  merge_labels        = true
  labels              = var.labels
}

output "id" {
  description = "The cluster."
  value       = openstack_containerinfra_cluster_v1.this.id
}

output "endpoint" {
  description = "Where Kubernetes answers."
  value       = openstack_containerinfra_cluster_v1.this.api_address
}

output "kubernetes_version" {
  description = "The version that it runs."
  value       = openstack_containerinfra_cluster_v1.this.coe_version
}

output "kubeconfig" {
  description = "A file for kubectl, as text, which makes who has it an administrator."
  value       = openstack_containerinfra_cluster_v1.this.kubeconfig["raw_config"]
  sensitive   = true
}
