"""Has an independent reader of Terraform's plan documents judge ours.

usage: PIPECTL=PROGRAM python tests/peers/plan_json_interop.py

terraform-compliance (installed from requirements.txt) reads what `pipectl show -json PLAN` writes and judges it by the policies of
`tests/fixtures/compliance/policy.feature`: a plan that keeps them passes, plans that break one of them fail for that reason. So do
the files of the guide to continuous integration.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

TESTS = pathlib.Path(__file__).resolve().parent.parent
FIXTURE = TESTS / "fixtures" / "compliance"
GUIDE = TESTS.parent / "docs/src/guides/continuous-integration.md"
JUDGE = pathlib.Path(sys.executable).parent / "terraform-compliance"


def document(folder, flags):
    for line in (["plan", "-input=false", "-out=plan", *flags], ["show", "-json", "plan"]):
        done = subprocess.run([os.environ["PIPECTL"], *line], cwd=folder, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"pipectl {line}: {done.stderr}")
    path = folder / "plan.json"
    path.write_text(done.stdout)
    return path


def judged(folder, flags, policies=FIXTURE):
    command = [JUDGE, "--features", policies, "--planfile", document(folder, flags), "--no-ansi"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def expect(told, status, words):
    returned, text = told
    missing = [part for part in words if part not in text]
    if returned != status or missing:
        sys.exit(f"expected status {status} and {missing}, found {returned}:\n{text}")


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    shutil.copy(FIXTURE / "main.tf", folder)
    expect(judged(folder, []), 0, ["3 scenarios (3 passed)"])
    expect(judged(folder, ["-var", "workers=7"]), 1, ["2 passed, 1 failed"])
    text = (folder / "main.tf").read_text()
    (folder / "main.tf").write_text(text.replace("net-main", "main"))
    expect(judged(folder, []), 1, ["terraform_data.network", "does not match with ^net-"])
    if "hunter2" in (folder / "plan.json").read_text():
        sys.exit("the plan document shows a secret")
    members = len(json.loads((folder / "plan.json").read_text()))

with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    for name, text in re.findall(r"^```[a-z]+,file=(\S+)\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    expect(judged(folder, [], "policies"), 0, ["2 scenarios (2 passed)"])
    expect(judged(folder, ["-var", "replicas=20"], "policies"), 1, ["1 passed, 1 failed"])

print("terraform-compliance reads our plans:", members, "members")
