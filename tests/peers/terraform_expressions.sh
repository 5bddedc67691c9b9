#!/usr/bin/env bash
# Writes the golden answers of the language's expression fixtures with a real Terraform 1.11.4.
#
# usage: tests/peers/terraform_expressions.sh [TOPIC...]
#
# Reads   src/lang/tests/fixtures/expressions/TOPIC.txt   one expression a line, `#` begins a comment
#         src/lang/tests/fixtures/files/*                 local values, unknown values and files that some of them use
# Writes  src/lang/tests/fixtures/expressions/TOPIC.json  what `terraform console -plan` says of each: type and JSON, or the errors
#
# `calls`, `pairs`, `random` and `precision` come from make_expressions.py (calls; pairs; random 20261122 1200; arithmetic 5 500). Needs terraform 1.11.4 and python3. The answers are committed: the tests
# themselves need neither.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests/peers exec python3 - "$@" <<'PYTHON'
import json, pathlib, shutil, sys, tempfile
import terraform_console

terraform_console.check_version()
fixtures = pathlib.Path("src/lang/tests/fixtures")
with tempfile.TemporaryDirectory() as folder:
    shutil.copytree(fixtures / "files", folder, dirs_exist_ok=True, symlinks=True)
    console = terraform_console.Console(folder)
    for source in sorted((fixtures / "expressions").glob("*.txt")):
        if sys.argv[1:] and source.stem not in sys.argv[1:]:
            continue
        lines = [line.strip() for line in source.read_text().splitlines()]
        found = [console.answer(line) for line in dict.fromkeys(lines) if line and not line.startswith("#")]
        text = "[\n" + ",\n".join("  " + json.dumps(answer, ensure_ascii=False) for answer in found) + "\n]\n"
        source.with_suffix(".json").write_text(text)
        print(f"{source.stem}: {len(found)} answers, {sum('errors' in answer for answer in found)} of them errors")
    console.stop()
PYTHON
