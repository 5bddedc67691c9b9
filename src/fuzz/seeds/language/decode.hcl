variable "secret" {
  sensitive = true
  default   = "hunter2"
}
resource "test_thing" "missing" {}
resource "test_thing" "wrong" {
  nam  = "x"
  name = ["a"]
  size = "big"
  id   = "given"
  tags = { a = 1, b = [2] }
  ports = [
    80,
    "https",
  ]
  rule = { port = 1 }
  setting {}
  setting {
    value = var.secret
    port  = var.secret
  }
  optimizer "adm" {}
  optimizer {}
  optimizer "sgd" "extra" {}
  optimiser "sgd" {}
  nested "x" {}
  shape = null
}
resource "test_thing" "more" {
  name = null
  optimizer "sgd" {
    rate = 1
    momntum = 2
  }
  optimizer "adam" {}
  nested {
    deep {
      level = true
    }
  }
}
resource "test_thing" "dynamic" {
  name = "x"
  dynamic "setting" {
    for_each = [1, 2]
    content {
      value = setting.value
      port  = setting.kee
    }
  }
  dynamic "setting" {
    for_each = 5
    content {}
  }
  dynamic "settin" {
    for_each = []
    content {}
  }
  dynamic "setting" {
    content {}
  }
}
