#!/usr/bin/env bash
# Writes the golden layouts of the formatter's fixtures with a real Terraform 1.11.
#
# usage: tests/peers/terraform_fmt.sh
#
# Reads   src/lang/tests/fixtures/format/NAME.in.hcl and corpus/TOPIC.txt, snippets between lines of "====="
# Writes  NAME.out.hcl and corpus/TOPIC.out.txt, what `terraform fmt` makes of each as a file: of standard input it makes
#         another last line
#
# Needs terraform 1.11.4 and python3. The layouts are committed: the tests themselves need neither.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../src/lang/tests/fixtures/format"
terraform version -json | grep -q '"terraform_version": "1.11.4"' || { echo "terraform 1.11.4 is needed" >&2; exit 1; }
exec python3 - <<'PYTHON'
import pathlib, subprocess, tempfile

SEPARATOR = b"=====\n"


def formatted(texts):
    with tempfile.TemporaryDirectory() as folder:
        files = [pathlib.Path(folder) / f"{number:04}.tf" for number in range(len(texts))]
        for file, text in zip(files, texts):
            file.write_bytes(text)
        subprocess.run(["terraform", "fmt", "-no-color", "-list=false", folder], check=True)
        return [file.read_bytes() for file in files]


inputs = sorted(pathlib.Path(".").glob("*.in.hcl"))
for file, layout in zip(inputs, formatted([file.read_bytes() for file in inputs])):
    file.with_name(file.name.replace(".in.", ".out.")).write_bytes(layout)
print(f"{len(inputs)} files")
for topic in sorted(pathlib.Path("corpus").glob("*.txt")):
    if not topic.name.endswith(".out.txt"):
        snippets = topic.read_bytes().split(SEPARATOR)
        topic.with_suffix(".out.txt").write_bytes(SEPARATOR.join(formatted(snippets)))
        print(f"{topic.stem}: {len(snippets)} snippets")
PYTHON
