#!/usr/bin/env bash
# Writes the golden answers of the language's expression fixtures with a real Terraform 1.11.
#
# usage: tests/peers/terraform_expressions.sh [TOPIC...]
#
# Reads   src/lang/tests/fixtures/expressions/TOPIC.txt   one expression a line, `#` begins a comment
#         src/lang/tests/fixtures/files/*                 local values and templates that some of them use
# Writes  src/lang/tests/fixtures/expressions/TOPIC.json  what `terraform console` says of each: type and JSON, or the error
#
# Needs terraform 1.11.4 and python3. The answers are committed: the tests themselves need neither.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
exec python3 - "$@" <<'PYTHON'
import base64, json, pathlib, re, shutil, subprocess, sys, tempfile

fixtures = pathlib.Path("src/lang/tests/fixtures")
version = json.loads(subprocess.run(["terraform", "version", "-json"], capture_output=True, text=True).stdout)["terraform_version"]
if version != "1.11.4":
    sys.exit(f"the fixtures are made with Terraform 1.11.4, and this is {version}")


def console(folder, expression):
    """What the console prints for an expression (it shows the last one only), and its error output when there is no value."""
    done = subprocess.run(
        ["terraform", "console", "-no-color"], cwd=folder, input=expression + "\n", capture_output=True, text=True
    )
    return done.stdout.strip(), done.stderr if done.returncode != 0 else ""


def errors(text):
    """Summary and detail of each error; Terraform breaks lines at 78 columns."""
    found = []
    for part in re.split(r"^Error: ", text, flags=re.M)[1:]:
        summary, _, rest = part.partition("\n")
        rest = rest.partition("\nWarning: ")[0]
        lines = [line for line in rest.split("\n")]
        while lines and (not lines[0].strip() or lines[0].startswith("  ")):
            lines.pop(0)
        paragraphs = "\n".join(lines).strip().split("\n\n")
        found.append({"summary": summary.strip(), "detail": "\n".join(" ".join(p.split("\n")) for p in paragraphs)})
    return found


def answer(folder, expression):
    # The console escapes what looks like a template; Base64 has nothing to escape.
    value, failed = console(folder, f"base64encode(jsonencode({expression}))")
    if failed:
        # The call around it may change the words: alone, it gives the error as its author sees it.
        shown, alone = console(folder, expression)
        if "cannot serialize infinity" in failed and not alone:
            return {"expression": expression, "type": "number", "shown": shown}
        return {"expression": expression, "errors": errors(alone or failed)}
    ty, failed = console(folder, f"type({expression})")
    found = {"expression": expression, "type": re.sub(r"\s+|,(?=\s*[)}\]])", "", ty)}
    if value == "(sensitive value)":
        found["sensitive"] = True
    elif value == "(known after apply)":
        found["unknown"] = True
    else:
        found["json"] = base64.b64decode(json.loads(value)).decode()
    return found


with tempfile.TemporaryDirectory() as folder:
    for file in (fixtures / "files").iterdir():
        shutil.copy(file, folder)
    for source in sorted((fixtures / "expressions").glob("*.txt")):
        if sys.argv[1:] and source.stem not in sys.argv[1:]:
            continue
        lines = [line.strip() for line in source.read_text().splitlines()]
        found = [answer(folder, line) for line in lines if line and not line.startswith("#")]
        text = "[\n" + ",\n".join("  " + json.dumps(answer, ensure_ascii=False) for answer in found) + "\n]\n"
        source.with_suffix(".json").write_text(text)
        print(f"{source.stem}: {len(found)} answers, {sum('errors' in answer for answer in found)} of them errors")
PYTHON
