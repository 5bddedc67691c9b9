#!/usr/bin/env bash
# Writes what a real Terraform 1.11 plans for the module fixtures: moved, removed and imported objects, too.
#
# usage: tests/peers/terraform_modules.sh [CASE...]
#
# Reads   src/engine/tests/engine/terraform/CASE.txt   files of a configuration, step by step
# Writes  src/engine/tests/engine/terraform/CASE.json  for each step the changes and outputs of the plan, or the summaries of its errors
#
# A step that could be planned is applied before the next. Needs terraform 1.11.4 and python3. The answers are committed: the tests themselves
# need neither.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
exec python3 - "$@" <<'PYTHON'
import json, os, pathlib, re, subprocess, sys, tempfile

fixtures = pathlib.Path("src/engine/tests/engine/terraform")
environment = dict(os.environ, CHECKPOINT_DISABLE="1", TF_IN_AUTOMATION="1")


def terraform(folder, *arguments):
    return subprocess.run(["terraform", *arguments], cwd=folder, capture_output=True, text=True, env=environment)


version = json.loads(terraform(".", "version", "-json").stdout)["terraform_version"]
if version != "1.11.4":
    sys.exit(f"the fixtures are made with Terraform 1.11.4, and this is {version}")


def steps(text):
    """The files of a configuration at each step, and the options of its plan; a file stays until it is written anew or removed."""
    files, name = {}, None
    for line in text.splitlines():
        if not line.startswith("> "):
            if name is not None:
                files[name] += line + "\n"
            continue
        word, *rest = line[2:].split()
        name = None
        if word == "file":
            name = rest[0]
            files[name] = ""
        elif word == "remove":
            del files[rest[0]]
        elif word == "step":
            yield dict(files), rest
        else:
            sys.exit(f"not a command: {line}")


def summaries(text):
    found = set(re.findall(r"^Error: (.*)$", text, flags=re.M))
    return sorted(summary for summary in found if not summary.startswith("Terraform encountered problems"))


def plan(folder, files, options):
    for old in folder.rglob("*.tf"):
        old.unlink()
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    done = terraform(folder, "init", "-no-color", "-input=false")
    if done.returncode == 0:
        done = terraform(folder, "plan", "-no-color", "-input=false", "-out=plan.bin", *options)
    if done.returncode != 0:
        return {"errors": summaries(done.stderr)}
    shown = json.loads(terraform(folder, "show", "-json", "plan.bin").stdout)
    changes = []
    for change in shown.get("resource_changes", []):
        entry = {"address": change["address"], "actions": change["change"]["actions"]}
        if "previous_address" in change:
            entry["previous"] = change["previous_address"]
        if "importing" in change["change"]:
            entry["importing"] = change["change"]["importing"]["id"]
        changes.append(entry)
    outputs = {}
    for name, change in shown.get("output_changes", {}).items():
        known = change["change"]["after_unknown"] if "change" in change else change["after_unknown"]
        outputs[name] = {"actions": change["actions"]}
        if known is False:
            outputs[name]["after"] = change["after"]
    applied = terraform(folder, "apply", "-no-color", "-input=false", "plan.bin")
    if applied.returncode != 0:
        sys.exit(applied.stderr)
    return {"changes": sorted(changes, key=lambda change: change["address"]), "outputs": outputs}


for text in sorted(fixtures.glob("*.txt")):
    if sys.argv[1:] and text.stem not in sys.argv[1:]:
        continue
    with tempfile.TemporaryDirectory() as folder:
        answers = [plan(pathlib.Path(folder), files, options) for files, options in steps(text.read_text())]
    text.with_suffix(".json").write_text(json.dumps(answers, indent=1) + "\n")
    print(f"{text.stem}: {len(answers)} steps, {sum('errors' in answer for answer in answers)} of them refused")
PYTHON
