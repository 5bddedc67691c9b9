"""Writes what a real Terraform 1.11 answers to commands with -json, for the tests that hold ours against it.

usage: tests/peers/terraform_json.py [CASE...]

Reads   tests/fixtures/machine/CASE/main.tf, what lies beside it, and steps.txt   one command line a line; `copy A B` puts file A at B
Writes  tests/fixtures/machine/CASE/expected.json           status and documents of each, without what differs between runs

Needs terraform 1.11.4. The answers are committed: the tests themselves (tests/cli/machine.rs) do not need it. What is sensitive is null
in them, because our documents never show it.
"""

import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

VERSION = "1.11.4"
FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "machine"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Times, versions, and what the state of ours does not keep.
DROPPED = {"terraform_version", "terraform", "timestamp", "@timestamp", "@module", "elapsed_seconds"}
PAIRS = [("before", "before_sensitive"), ("after", "after_sensitive"), ("values", "sensitive_values")]


def run(folder, line):
    settings = dict(os.environ, CHECKPOINT_DISABLE="1", TF_CLI_CONFIG_FILE=os.devnull)
    return subprocess.run(["terraform", *shlex.split(line)], cwd=folder, env=settings, capture_output=True, text=True)


def masked(value, tree):
    if tree is True:
        return None
    if isinstance(value, dict) and isinstance(tree, dict):
        return {name: masked(inner, tree.get(name)) for name, inner in value.items()}
    if isinstance(value, list) and isinstance(tree, list):
        return [masked(inner, tree[place] if place < len(tree) else None) for place, inner in enumerate(value)]
    return value


def settled(value):
    if isinstance(value, str):
        return UUID.sub("[UUID]", value)
    if isinstance(value, list):
        return [settled(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    value = dict(value)
    for name, tree in PAIRS:
        if name in value and tree in value:
            value[name] = masked(value[name], value[tree])
    if value.get("sensitive") is True and "value" in value:
        value["value"] = None
    return {name: settled(inner) for name, inner in value.items() if name not in DROPPED}


def document(text):
    found = json.loads(text)
    if not isinstance(found, dict):
        return settled(found)
    root = found.get("configuration", {}).get("root_module", {})
    for name, block in root.get("variables", {}).items():
        if block.get("sensitive") and name in found.get("variables", {}):
            found["variables"][name]["value"] = None
    hide_defaults(root)
    return settled(found)


def hide_defaults(module):
    for block in module.get("variables", {}).values():
        if block.get("sensitive") and "default" in block:
            block["default"] = None
    for call in module.get("module_calls", {}).values():
        hide_defaults(call["module"])


def report_of(text):
    """A report in JUnit's XML without times, and without what was found: how that is written differs."""
    text = re.sub(r' (time|timestamp)="[^"]*"', r' \1=""', text)
    return re.sub(r"<!\[CDATA\[\n.*?\]\]>", "<![CDATA[]]>", text, flags=re.DOTALL).split("\n")


def answer(folder, line):
    if line.startswith("copy "):
        _, source, target = line.split()
        shutil.copy(folder / source, folder / target)
        # It may name other modules.
        return {"command": line, "status": run(folder, "init").returncode}
    done = run(folder, line)
    found = {"command": line, "status": done.returncode}
    words = shlex.split(line)
    for report in [word.removeprefix("-junit-xml=") for word in words if word.startswith("-junit-xml=")]:
        found["report"] = report_of((folder / report).read_text())
    if "-json" not in words:
        return found
    if words[0] in ("plan", "apply", "destroy", "test"):
        found["events"] = [settled(json.loads(text)) for text in done.stdout.splitlines()]
    elif words[0] == "output":
        # Asked for by name or as a whole, outputs are shown.
        found["document"] = json.loads(done.stdout)
    else:
        found["document"] = document(done.stdout)
    return found


version = json.loads(run(".", "version -json").stdout)["terraform_version"]
if version != VERSION:
    sys.exit(f"the answers are made with Terraform {VERSION}, and this is {version}")
for case in sorted(FIXTURES.iterdir()):
    if sys.argv[1:] and case.name not in sys.argv[1:]:
        continue
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        shutil.copytree(case, folder, ignore=shutil.ignore_patterns("expected.json", "steps.txt"), dirs_exist_ok=True)
        if run(folder, "init").returncode != 0 and case.name != "invalid":
            sys.exit(f"{case.name}: terraform init failed")
        answers = [answer(folder, line) for line in (case / "steps.txt").read_text().splitlines()]
    text = json.dumps(answers, indent=1, sort_keys=True, ensure_ascii=False)
    (case / "expected.json").write_text(text + "\n")
    print(f"{case.name}: {len(answers)} answers")
