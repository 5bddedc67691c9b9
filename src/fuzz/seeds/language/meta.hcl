resource "test_thing" "a" {
  name     = "a"
  count    = 2
  for_each = toset(["a"])
  lifecycle {
    create_before_destroy = 5
    prevent_destory       = true
    ignore_changes        = "name"
  }
  lifecycle {}
  depends_on = ["test_thing.b"]
}
resource "test_thing" "b" {
  name       = each.key
  depends_on = test_thing.a
  provider   = 5
  lifecycle {
    ignore_changes = [name, 5]
    precondition {
      condition = self.name == "x"
    }
  }
}
stage "train" "s" {
  retry {
    max_attempts = 3
  }
  retry {}
  epochs = count.index
}
output "o" {
  value      = each.value
  depends_on = [path.modul, terraform.workspaces]
}
