# Nodes of a cluster of Magnum that are all alike.

variable "cluster" {
  description = "Whose nodes they are: the module `kubernetes-cluster/openstack`."
  type = object({
    id = string
  })
}

variable "name" {
  description = "What people call the pool."
  type        = string
}

variable "size" {
  description = "How many there are."
  type        = number
}

variable "flavor" {
  description = "What each is: m2.4xlarge, g4.p1.40g."
  type        = string
}

resource "openstack_containerinfra_nodegroup_v1" "this" {
  cluster_id     = var.cluster.id
  name           = var.name
  flavor_id      = var.flavor
  node_count     = var.size
  min_node_count = 0
}

output "id" {
  description = "The pool."
  value       = openstack_containerinfra_nodegroup_v1.this.id
}

output "node_count" {
  description = "How many nodes there are."
  value       = openstack_containerinfra_nodegroup_v1.this.node_count
}
