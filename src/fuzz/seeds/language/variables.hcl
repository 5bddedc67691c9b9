variable "count" {}
variable "a" {
  type    = number
  default = "five"
}
variable "b" {
  type    = list(numbr)
}
variable "c" {
  type = object({ a = optional(string, [1]), b = optional() })
}
variable "d" {
  type = "string"
}
variable "e" {
  type = list
}
variable "f" {
  nullable = false
  default  = null
}
variable "g" {
  default = var.a
}
variable "h" {
  default = upper("x")
}
variable "i" {
  sensitve = true
  validation {
    condition = true
  }
  validaton {}
}
variable "j" {
  sensitive = "maybe"
}
variable "k" {
  type    = object({ a = number, b = list(object({ c = string })) })
  default = { a = 1, b = [{ c = "x" }, { d = "y" }] }
}
