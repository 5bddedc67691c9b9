#!/usr/bin/env bash
# Writes what a real Terraform 1.11 plans for the fixtures that are written in both syntaxes of the language.
#
# usage: tests/peers/terraform_json_syntax.sh
#
# Reads   src/lang/tests/fixtures/json/NAME.tf and NAME.tf.json
# Writes  src/lang/tests/fixtures/json/NAME.planned.json   outputs and resource values, the same for both, else it fails
#
# Needs terraform 1.11.4 and python3. The plans are committed: the tests themselves need neither.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
exec python3 - <<'PYTHON'
import json, pathlib, shutil, subprocess, sys, tempfile

fixtures = pathlib.Path("src/lang/tests/fixtures/json")


def run(folder, *command):
    done = subprocess.run(["terraform", *command], cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{folder}: terraform {' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


version = json.loads(run(".", "version", "-json"))["terraform_version"]
if version != "1.11.4":
    sys.exit(f"the fixtures are made with Terraform 1.11.4, and this is {version}")


def planned(file, extension):
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(file, pathlib.Path(folder) / f"main{extension}")
        run(folder, "init", "-input=false")
        run(folder, "plan", "-input=false", "-out=plan")
        plan = json.loads(run(folder, "show", "-json", "plan"))
    values = plan["planned_values"]
    return {
        "outputs": {name: {key: output.get(key) for key in ("sensitive", "type", "value")} for name, output in values.get("outputs", {}).items()},
        "resources": {resource["address"]: resource["values"] for resource in values.get("root_module", {}).get("resources", [])},
        "checks": plan.get("checks", []),
        # Values of expressions in JSON are shown another way there; what they depend on is not.
        "dependencies": {
            resource["address"]: resource.get("depends_on")
            for resource in plan["configuration"]["root_module"].get("resources", [])
        },
    }


for native in sorted(fixtures.glob("*.tf")):
    both = [planned(native, ".tf"), planned(native.with_suffix(".tf.json"), ".tf.json")]
    if both[0] != both[1]:
        sys.exit(f"{native.stem}: the two syntaxes differ\n{json.dumps(both[0], indent=1)}\n{json.dumps(both[1], indent=1)}")
    golden = {key: both[0][key] for key in ("outputs", "resources")}
    native.with_suffix(".planned.json").write_text(json.dumps(golden, indent=2, ensure_ascii=False, sort_keys=True) + "\n")
    print(f"{native.stem}: {len(golden['outputs'])} outputs, {len(golden['resources'])} resources")
PYTHON
