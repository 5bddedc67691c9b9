locals {
  a = "%{ if var.x }yes"
  b = "%{ endif }"
  c = "%{ for x in [1] }${x}%{ endif }"
  d = "%{ iff true }x%{ endif }"
  e = "%{ else }"
  f = <<EOT
%{ for x in [1] }
  %{ if x > 1 }
  big
%{ endfor }
EOT
}
