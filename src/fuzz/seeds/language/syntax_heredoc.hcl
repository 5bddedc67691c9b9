locals {
  spaces_after = <<EOT 
text
EOT
}
locals {
  quoted = <<"EOT"
text
EOT
}
locals {
  no_name = <<
text
}
locals {
  not_alone = <<EOT
text
EOT)
  more = 1
}
