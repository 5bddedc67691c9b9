variable "name" {
  default = "anna"
}
variable "password" {
  sensitive = true
  default   = "hunter2"
}
variable "list" {
  type    = list(string)
  default = ["a", "b"]
}
variable "settings" {
  default = { size = 3, secret = "x" }
}
locals {
  a = var.name + 1
  b = var.password + 1
  c = var.list[5]
  d = var.settings.sice
  e = var.settings["size"].deep
  f = "${var.list} and ${null}"
  g = var.name ? 1 : 2
  h = [for item in var.list : item + 1]
  i = { for item in var.list : "same" => item }
  j = tonumber(var.password)
  k = substr(var.name, "x", 1)
  l = lenght(var.list)
  m = upper(var.name, var.name)
  n = upper()
  o = true ? { a = 1 } : { b = [1] }
  p = [var.name, 1 + "x", var.list.first]
  q = jsondecode(var.password)
  r = [for s in split("", var.password) : s + 1]
  s = null.x
  t = var.list[*].name
  u = merge(var.list, {})
  v = max(var.list...)
  w = 1 / 0 - 1 / 0
  x = -var.name
  y = !var.settings
  z = file("nope.txt")
}
