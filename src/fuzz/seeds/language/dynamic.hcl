variable "names" {
  default = ["a", "b"]
}
resource "test_thing" "arguments" {
  name = "x"
  dynamic "setting" {
    for_each = var.names
    value    = setting.value
    content {
      value = setting.valu
    }
    content {}
  }
  dynamic "setting" {
    for_each = var.names
    iterator = "each"
    content {
      value = "x"
    }
  }
  dynamic "setting" {
    for_each = null
    content {
      value = "x"
    }
  }
  dynamic "setting" {
    for_each = var.names
    iterator = name
    content {
      value = name.value
      port  = name.value
      prot  = 1
    }
  }
  dynamic "lifecycle" {
    for_each = []
    content {}
  }
  dynamic {
    for_each = []
  }
  dynamic "name" {
    for_each = []
    content {}
  }
  dynamic "optimizer" {
    for_each = var.names
    labels   = [optimizer.value]
    content {}
  }
}
