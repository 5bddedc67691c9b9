terraform {
  required_version = ">= 1.0"
}
variable "names" {
  type    = set(string)
  default = ["a", "b"]
}
locals {
  offset = 3
}
resource "terraform_data" "plain" {
  input = "x ${local.offset}"
}
resource "terraform_data" "counted" {
  count            = 2
  input            = { index = count.index, list = [count.index + local.offset] }
  triggers_replace = [local.offset, "fixed"]
  depends_on       = [terraform_data.plain]
}
resource "terraform_data" "each" {
  for_each = var.names
  input    = "${each.key}-${each.value}"
  lifecycle {
    create_before_destroy = true
    ignore_changes        = [input]
    replace_triggered_by  = [terraform_data.plain]
    precondition {
      condition     = length(each.key) > 0
      error_message = "The key ${each.key} is empty."
    }
    postcondition {
      condition     = self.input != ""
      error_message = "No input."
    }
  }
}
resource "terraform_data" "all" {
  input = null
  lifecycle {
    ignore_changes = all
  }
}
check "offset" {
  assert {
    condition     = local.offset == 3
    error_message = "The offset is ${local.offset}."
  }
}
output "plain" {
  value     = terraform_data.plain.input
  sensitive = true
}
output "inputs" {
  value      = [for item in terraform_data.counted : item.input]
  depends_on = [terraform_data.each]
  precondition {
    condition     = length(terraform_data.counted) == 2
    error_message = "Two are wanted."
  }
}
output "each" {
  value = { for key, item in terraform_data.each : key => item.input }
}
