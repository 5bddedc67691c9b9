"""Works through the guide `docs/src/guides/your-own-data.md`: writes its files, runs its commands, and holds what Python computes with
ONNX Runtime against what the pipeline has found.

usage: PIPECTL=PROGRAM python tests/peers/own_data_interop.py
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

GUIDE = pathlib.Path(__file__).resolve().parents[2] / "docs/src/guides/your-own-data.md"


def fences():
    return re.findall(r"^```([a-z]+,\S+)\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)


def run(line, folder, path):
    environment = {**os.environ, "PATH": path, "NO_COLOR": "1"}
    done = subprocess.run(["sh", "-c", line], cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{line}: {done.stdout}{done.stderr}")
    return done.stdout


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    programs = folder / "bin"
    programs.mkdir()
    (programs / "pipectl").symlink_to(pathlib.Path(os.environ["PIPECTL"]).resolve())
    path = f"{programs}:{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
    said = {}
    for kind, text in fences():
        words, _, name = kind.partition(",file=")
        if name:
            (folder / name).write_text(text)
        elif kind == "sh,peer":
            for line in text.splitlines():
                # A command that comes twice is judged by what it said last.
                said[line] = run(line, folder, path)
    values = {name: output["value"] for name, output in json.loads(run("pipectl output -json signal.hcl", folder, path)).items()}
    found = float(said["python score.py"].removeprefix("accuracy "))
    if found != values["accuracy"] or not 0.75 < found < 0.95:
        sys.exit(f"Python finds {found}, and the pipeline {values['accuracy']}")
    changed = said["pipectl plan -var units=32 signal.hcl"]
    if "model" not in changed or "stage.convert" in changed:
        sys.exit(f"another network converts nothing anew:\n{changed}")
    if "epoch 20/20" in said["pipectl apply -auto-approve signal.hcl"]:
        sys.exit("the way back trains again")
    print("the guide to your own data: accuracy", found, "by the pipeline and by ONNX Runtime")
