# A bucket on a server that speaks S3: Ceph at CERN, Amazon, SeaweedFS. Which one is the business of the provider `aws`.

variable "name" {
  description = "Its name."
  type        = string
}

variable "keeps_versions" {
  description = "Whether what is written over can be had back."
  type        = bool
  default     = false
}

variable "tags" {
  description = "What it is tagged with."
  type        = map(string)
  default     = {}
}

resource "aws_s3_bucket" "this" {
  bucket = var.name
  tags   = var.tags
}

resource "aws_s3_bucket_versioning" "this" {
  count = var.keeps_versions ? 1 : 0

  bucket = aws_s3_bucket.this.bucket
  versioning_configuration {
    status = "Enabled"
  }
}

output "name" {
  description = "The bucket."
  value       = aws_s3_bucket.this.bucket
}
