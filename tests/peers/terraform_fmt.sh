#!/usr/bin/env bash
# Writes the golden layouts of the formatter's fixtures with a real Terraform 1.11.
#
# usage: tests/peers/terraform_fmt.sh
#
# Reads src/lang/tests/fixtures/format/NAME.in.hcl and writes NAME.out.hcl, what `terraform fmt` makes of it. Needs terraform 1.11.4.
# The layouts are committed: the tests themselves do not need it.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../src/lang/tests/fixtures/format"
terraform version -json | grep -q '"terraform_version": "1.11.4"' || { echo "terraform 1.11.4 is needed" >&2; exit 1; }
for input in *.in.hcl; do
  terraform fmt -no-color - <"$input" >"${input%.in.hcl}.out.hcl"
done
