#!/usr/bin/env bash
# Makes Terraform's state files that the state's tests read, and lets a real Terraform read those that we write.
#
# usage: tests/peers/terraform_state.sh make     writes terraform.tfstate beside each main.tf anew; then look at the differences
#        tests/peers/terraform_state.sh check    (the default) compares what Terraform makes of our files with what it makes of its own
#
# Needs terraform 1.11.4 and jq, and no network: only what is built into Terraform is used. The files are committed, so the tests themselves need
# neither. `written.tfstate` is what our writer makes of the `terraform.tfstate` beside it, or of a state of ours; a test keeps it so.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../src/state/tests/fixtures/terraform"
export CHECKPOINT_DISABLE=1 TF_IN_AUTOMATION=1
[[ $(terraform version -json) == *'"terraform_version": "1.11.4"'* ]] || { echo "terraform 1.11.4 is needed" >&2; exit 1; }

fail() {
  echo "terraform_state: $*" >&2
  exit 1
}

# A copy of a fixture's folder, beside copies of the others, that Terraform may write to.
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -r . "$copy"

apply() {
  terraform -chdir="$copy/$1" apply -auto-approve -no-color "${@:2}" > "$copy/$1.log" 2>&1
}

make() {
  rm -f "$copy"/*/terraform.tfstate*
  terraform -chdir="$copy/everything" init -no-color > /dev/null
  apply everything || fail "everything cannot be applied"
  terraform -chdir="$copy/everything" taint terraform_data.tainted > /dev/null
  terraform -chdir="$copy/deposed" init -no-color > /dev/null
  apply deposed || fail "deposed cannot be applied"
  ! apply deposed -var generation=2 || fail "the second generation must fail"
  cp "$copy/everything/terraform.tfstate" everything/
  cp "$copy/deposed/terraform.tfstate" deposed/
}

# What Terraform reads from a state, and how its plan ends: 0 for no changes, 2 for changes.
seen() {
  local folder=$1 code=0
  terraform -chdir="$folder" show -json | jq -S .
  terraform -chdir="$folder" plan -detailed-exitcode -input=false -no-color > "$folder.plan" 2>&1 || code=$?
  echo "plan: $code"
  grep --extended-regexp '^ +# |^Plan:|^No changes' "$folder.plan" | sort || true
}

check() {
  local name
  for name in everything deposed; do
    terraform -chdir="$copy/$name" init -no-color > /dev/null
    seen "$copy/$name" > "$copy/$name.theirs"
    cp "$name/written.tfstate" "$copy/$name/terraform.tfstate"
    seen "$copy/$name" > "$copy/$name.ours"
    diff "$copy/$name.theirs" "$copy/$name.ours" || fail "Terraform reads something else from our $name/written.tfstate"
  done
  terraform -chdir="$copy/native" init -no-color > /dev/null
  cp native/written.tfstate "$copy/native/terraform.tfstate"
  seen "$copy/native" > "$copy/native.ours"
  grep -q '^plan: 0$' "$copy/native.ours" || fail "Terraform plans changes with our native/written.tfstate: $(cat "$copy/native.plan")"
  # A file of ours can take the place of the state that it came from, since its serial is higher.
  cp everything/terraform.tfstate "$copy/everything/terraform.tfstate"
  terraform -chdir="$copy/everything" state push "$PWD/everything/written.tfstate" > /dev/null
  echo "terraform_state: Terraform reads what we write"
}

case ${1:-check} in
  make) make ;;
  check) check ;;
  *) fail "there is no command \`$1\`" ;;
esac
