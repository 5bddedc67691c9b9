# A bucket for data sets on Amazon S3, or on any server that speaks S3: Ceph at CERN, SeaweedFS, Oracle's Object Storage.
#
#   pipectl apply stacks/data-bucket -var bucket=my-data -var endpoint=https://s3.cern.ch
#
# Keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or from a profile. At CERN: openstack ec2 credentials create

variable "bucket" {
  description = "The name of the bucket."
  type        = string
}

variable "endpoint" {
  description = "The URL of the server. Default: Amazon's."
  type        = string
  default     = null
}

variable "region" {
  description = "The region. Servers other than Amazon's mostly have one of any name."
  type        = string
  default     = "us-east-1"
}

variable "keep_days" {
  description = "How long what lies below tmp/ is kept."
  type        = number
  default     = 14
}

variable "events" {
  description = "A file of events that everybody is to find there."
  type        = string
  default     = "../../pipelines/data/hep/test-0.parquet"
}

provider "aws" {
  region            = var.region
  s3_use_path_style = var.endpoint != null
  endpoints {
    s3 = var.endpoint
  }
}

module "bucket" {
  source = "../../modules/bucket/s3"

  name           = var.bucket
  keeps_versions = true
  tags = {
    project = "hep"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "data" {
  bucket = module.bucket.name
  rule {
    id     = "tmp"
    status = "Enabled"
    filter {
      prefix = "tmp/"
    }
    expiration {
      days = var.keep_days
    }
  }
}

resource "aws_s3_object" "events" {
  # The versions of an object go with it only where it is known that it has some.
  depends_on = [module.bucket]

  bucket       = module.bucket.name
  key          = "events/${basename(var.events)}"
  source       = var.events
  etag         = filemd5(var.events)
  content_type = "application/vnd.apache.parquet"
}

resource "aws_s3_object" "readme" {
  depends_on = [module.bucket]

  bucket       = module.bucket.name
  key          = "README.md"
  content_type = "text/markdown"
  content      = <<-EOT
    # ${var.bucket}

    What lies below `tmp/` is removed after ${var.keep_days} days.
  EOT
}

data "aws_s3_object" "readme" {
  bucket     = aws_s3_object.readme.bucket
  key        = aws_s3_object.readme.key
  version_id = aws_s3_object.readme.version_id
}

output "events" {
  value = "s3://${aws_s3_object.events.bucket}/${aws_s3_object.events.key}"
}

output "readme" {
  value = data.aws_s3_object.readme.body
}
