locals {
  a = [for]
  b = [for in var.x : 1]
  c = [for x of var.x : x]
  d = [for x in var.x x]
  e = { for k, v in var.x : k }
  f = [for x in var.x : x if]
  g = { for x in var.x : x = 1 }
}
