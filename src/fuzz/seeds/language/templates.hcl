variable "list" {
  type    = list(string)
  default = ["a"]
}
variable "secret" {
  sensitive = true
  default   = "hunter2"
}
locals {
  nested    = "a ${"b ${var.list} c"} d"
  missing   = "a ${"b ${var.lits[0]} c"} d"
  null_part = "x${null}y"
  heredoc   = <<-EOT
    first
      ${upper(var.list)}
    %{ for item in var.secret }
    ${item}
    %{ endfor }
    %{ if "maybe" }
    last
    %{ endif }
  EOT
  escaped   = "tab\there ${1 + "x"} \u00e9 ${var.nothing}"
}
