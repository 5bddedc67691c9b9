# A bucket of OCI Object Storage, which also speaks S3.

variable "compartment_id" {
  description = "The compartment that the bucket is made in."
  type        = string
}

variable "name" {
  description = "Its name."
  type        = string
}

variable "keeps_versions" {
  description = "Whether what is written over can be had back."
  type        = bool
  default     = false
}

data "oci_objectstorage_namespace" "this" {
  compartment_id = var.compartment_id
}

resource "oci_objectstorage_bucket" "this" {
  compartment_id = var.compartment_id
  namespace      = data.oci_objectstorage_namespace.this.namespace
  name           = var.name
  access_type    = "NoPublicAccess"
  versioning     = var.keeps_versions ? "Enabled" : "Disabled"
}

output "name" {
  description = "The bucket."
  value       = oci_objectstorage_bucket.this.name
}

output "namespace" {
  description = "The namespace that it lies in. For S3 the server is https://NAMESPACE.compat.objectstorage.REGION.oraclecloud.com."
  value       = oci_objectstorage_bucket.this.namespace
}
