resource "test_thing" "several" {
  name = "a
  size = 5 +
  tags {
    key = [1 2]
  }
  shape = {
    a = b.
  }
  ports = 1 ? 2
  fine  = 3
}
