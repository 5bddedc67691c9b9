# A cluster of OKE, without nodes: those are in pools of their own.

variable "compartment_id" {
  description = "The compartment that the cluster is made in."
  type        = string
}

variable "name" {
  description = "What people call the cluster."
  type        = string
}

variable "kubernetes_version" {
  description = "As OKE names it: v1.33.1."
  type        = string
}

variable "network" {
  description = "Where it is: the module `network/oci`."
  type = object({
    id                 = string
    endpoint_subnet_id = string
    is_public          = bool
  })
}

resource "oci_containerengine_cluster" "this" {
  compartment_id     = var.compartment_id
  vcn_id             = var.network.id
  name               = var.name
  kubernetes_version = var.kubernetes_version
  cluster_pod_network_options {
    cni_type = "FLANNEL_OVERLAY"
  }
  endpoint_config {
    subnet_id            = var.network.endpoint_subnet_id
    is_public_ip_enabled = var.network.is_public
  }
}

output "id" {
  description = "The cluster."
  value       = oci_containerengine_cluster.this.id
}

output "endpoint" {
  description = "Where Kubernetes answers."
  value       = "https://${var.network.is_public ? oci_containerengine_cluster.this.endpoints[0].public_endpoint : oci_containerengine_cluster.this.endpoints[0].private_endpoint}"
}

output "kubernetes_version" {
  description = "The version that it runs."
  value       = oci_containerengine_cluster.this.kubernetes_version
}

output "kubeconfig" {
  description = "A file for kubectl, as text. Who uses it proves himself with the `oci` command."
  value       = oci_containerengine_cluster.this.kubeconfig
  sensitive   = true
}
