#!/usr/bin/env python3
"""What planning and applying cost, pipectl beside Terraform on the same machine in one run.

usage: tests/peers/terraform_scale.py [--pipectl FILE] [--nodes N,N,...] [--kinds KIND,...] [--all | --alone]

Prints a table: for each kind of graph, number of nodes and operation, CPU seconds (user and system, all threads), wall
seconds, peak memory and bytes written of both programs, and how many times less pipectl takes. All nodes are
`terraform_data`, which both have built in, so nothing but the engines is measured. Terraform is `terraform` on the PATH.

kinds   blocks: N blocks that need nothing; foreach: one block with `for_each` over a set of N; layers: ten layers, each
        block with two parents in the layer before; chain: each block refers to the one before; deferred: blocks of which it
        is known only after apply how many instances they have, which Terraform refuses

Terraform takes hours for some of this: beyond 1,000 nodes it runs only where it ends within minutes (plans of blocks and
layers), and beyond 10,000 not at all. --all lifts the first limit; with --alone it does not run.

Linux only: it reads /proc.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KINDS = ["blocks", "foreach", "layers", "chain", "deferred"]
# What runs of Terraform end within a few minutes: largest number of nodes by kind and operation.
TERRAFORM_LIMITS = {
    ("blocks", "plan"): 10_000,
    ("layers", "plan"): 10_000,
}
TERRAFORM_LIMIT = 1_000


def configuration(kind: str, nodes: int) -> str:
    def block(number: int, value: str) -> str:
        return f'resource "terraform_data" "b{number}" {{\n  input = {value}\n}}\n'

    if kind == "blocks":
        return "".join(block(number, f'"value {number}"') for number in range(nodes))
    if kind == "foreach":
        return (
            'resource "terraform_data" "b" {\n'
            # `range` makes 1,024 numbers at most.
            f'  for_each = toset(flatten([for a in range({nodes} / 100) : [for b in range(100) : "k${{a * 100 + b}}"]]))\n'
            '  input    = "value ${each.key}"\n}\n'
        )
    if kind == "layers":
        width = nodes // 10

        def parents(number: int) -> str:
            if number < width:
                return f'"value {number}"'
            above, place = number - number % width - width, number % width
            return f"[terraform_data.b{above + place}.id, terraform_data.b{above + (place + 1) % width}.id]"

        return "".join(block(number, parents(number)) for number in range(width * 10))
    if kind == "chain":
        return "".join(block(n, f"terraform_data.b{n - 1}.id" if n else '"first"') for n in range(nodes))
    if kind == "deferred":
        number = 'resource "terraform_data" "number" {\n  input = 1\n}\n'
        count = "count = terraform_data.number.output"
        return number + "".join(
            f'resource "terraform_data" "b{n}" {{\n  {count}\n  input = {n}\n}}\n' for n in range(nodes - 1)
        )
    raise ValueError(kind)


@dataclass
class Cost:
    cpu: float
    wall: float
    memory: float
    written: float


def run(command: list[str], folder: Path) -> Cost:
    """Runs a command to its end; its status must be 0."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "CHECKPOINT_DISABLE": "1"}
    with tempfile.TemporaryFile() as output:
        start = time.monotonic()
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT)
        # The entry in /proc stays until the process is waited for, also after its end.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        wall = time.monotonic() - start
        counters = Path(f"/proc/{process.pid}/io").read_text()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            output.seek(0)
            sys.exit(f"{' '.join(command)} failed:\n{output.read().decode(errors='replace')[-4000:]}")
    written = int(re.search(r"^wchar: (\d+)$", counters, re.MULTILINE)[1])
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024, written / 1e6)


def operations(program: str) -> list[tuple[str, list[str]]]:
    return [
        ("plan", [program, "plan", "-input=false", "-no-color"]),
        ("apply", [program, "apply", "-input=false", "-no-color", "-auto-approve"]),
        ("no-op plan", [program, "plan", "-input=false", "-no-color"]),
        ("destroy", [program, "apply", "-destroy", "-input=false", "-no-color", "-auto-approve"]),
    ]


def terraform_runs(terraform: str | None, kind: str, operation: str, nodes: int, everything: bool) -> bool:
    if terraform is None or kind == "deferred":
        return False
    limit = TERRAFORM_LIMITS.get((kind, operation), TERRAFORM_LIMIT)
    return nodes <= (10_000 if everything else limit)


def state_size(folder: Path) -> float:
    """Megabytes of what pipectl keeps of the state when it has ended."""
    return sum(file.stat().st_size for file in folder.glob(".pipectl/**/*") if file.is_file()) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pipectl", default=os.environ.get("PIPECTL", str(ROOT / "target/ci/pipectl")))
    parser.add_argument("--nodes", default="1000,10000,100000")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--all", action="store_true", help="run Terraform at 10,000 nodes for every operation")
    parser.add_argument("--alone", action="store_true", help="run pipectl only")
    arguments = parser.parse_args()
    terraform = None if arguments.alone else shutil.which("terraform") or sys.exit("terraform is not on the PATH")
    print(f"{'kind':<8}{'nodes':>8}  {'operation':<11}{'':<10}{'CPU s':>9}{'wall s':>9}{'MiB':>7}{'MB written':>12}", flush=True)
    for nodes in [int(text) for text in arguments.nodes.split(",")]:
        for kind in arguments.kinds.split(","):
            with tempfile.TemporaryDirectory() as ours, tempfile.TemporaryDirectory() as theirs:
                compare(kind, nodes, Path(arguments.pipectl).resolve(), terraform, Path(ours), Path(theirs), arguments.all)


def compare(
    kind: str, nodes: int, pipectl: Path, terraform: str | None, ours: Path, theirs: Path, everything: bool
) -> None:
    def terraform_takes(operation: str) -> bool:
        return terraform_runs(terraform, kind, operation, nodes, everything)

    for folder in (ours, theirs):
        (folder / "main.tf").write_text(configuration(kind, nodes))
    if terraform_takes("plan"):
        run([terraform, "init", "-input=false"], theirs)

    applied = True
    for (operation, command), (_, peer) in zip(operations(str(pipectl)), operations(str(terraform))):
        our = run(command, ours)
        row = f"{kind:<8}{nodes:>8}  {operation:<11}"
        note = f"  (state {state_size(ours):.1f} MB)" if operation == "apply" else ""
        print(f"{row}{'pipectl':<10}{cells(our)}{note}", flush=True)
        # What comes after an apply that was left out has nothing to work on.
        applied = applied and (operation == "plan" or terraform_takes(operation))
        if not applied or not terraform_takes(operation):
            continue
        their = run(peer, theirs)
        print(f"{row}{'terraform':<10}{cells(their)}")
        ratios = f"{their.cpu / our.cpu:>8.1f}x{their.wall / our.wall:>8.1f}x{their.memory / our.memory:>6.1f}x"
        print(f"{row}{'ratio':<10}{ratios}{their.written / max(our.written, 0.001):>11.1f}x", flush=True)


def cells(cost: Cost) -> str:
    return f"{cost.cpu:>9.2f}{cost.wall:>9.2f}{cost.memory:>7.0f}{cost.written:>12.1f}"


if __name__ == "__main__":
    main()
