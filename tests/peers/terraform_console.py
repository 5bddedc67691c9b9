"""Talks to one `terraform console -plan`: many expressions, one process.

Without a terminal the console ends at the first error and prints the last result only, so this is a terminal, wide enough that
nothing is ever broken into lines.
"""

import base64
import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import termios

VERSION = "1.11.4"
PROMPT = re.compile(rb"\r(>|:)  \x08$")


def check_version():
    text = subprocess.run(["terraform", "version", "-json"], capture_output=True, text=True, check=True).stdout
    found = json.loads(text)["terraform_version"]
    if found != VERSION:
        raise SystemExit(f"the answers are made with Terraform {VERSION}, and this is {found}")


class Console:
    """A console in a folder of configuration; what its resources compute is not known, because nothing was applied."""

    def __init__(self, folder):
        self.folder = folder
        self.start()

    def start(self):
        self.master, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 30000, 0, 0))
        settings = dict(os.environ, CHECKPOINT_DISABLE="1", TF_CLI_CONFIG_FILE=os.devnull, TZ="UTC")
        self.process = subprocess.Popen(
            ["terraform", "console", "-plan", "-no-color"],
            stdin=terminal, stdout=terminal, stderr=terminal, cwd=self.folder, env=settings, start_new_session=True,
        )
        os.close(terminal)
        said = self.read(60)
        if not PROMPT.search(said):
            raise SystemExit(f"terraform console did not start:\n{said.decode()}")

    def stop(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)

    def read(self, seconds):
        """What comes until the next prompt."""
        said = b""
        while not PROMPT.search(said[-16:]):
            ready, _, _ = select.select([self.master], [], [], seconds)
            if not ready:
                break
            try:
                said += os.read(self.master, 1 << 16)
            except OSError:
                break
        return said

    def ask(self, line):
        """What the console prints for a line."""
        assert "\n" not in line and "\t" not in line, line
        os.write(self.master, line.encode() + b"\n")
        said = self.read(20)
        prompt = PROMPT.search(said[-16:])
        if not prompt or prompt[1] == b":":
            # It waits for more, or is gone (1.11.4 panics on a few expressions).
            crashed = b"panic" in said or b"crash" in said.lower()
            self.stop()
            self.start()
            return None if not crashed else "PANIC"
        text = said.decode()
        # The line is drawn again with every character; what follows the last drawing is the answer.
        at = text.rfind("> " + line + "\r\n")
        if at < 0:
            at = text.rfind("\r\n", 0, text.find("\r\n") + 1)
            answer = text[at + 2 :]
        else:
            answer = text[at + 2 + len(line) + 2 :]
        answer = answer[: answer.rfind("\x1b[J\x1b[2K\r")].replace("\r\n", "\n")
        return answer if answer.startswith("\nError") else answer.removesuffix("\n")

    def answer(self, expression):
        """Type and value of an expression, or its errors."""
        shown = self.ask(expression)
        if shown is None:
            return {"expression": expression, "errors": [{"summary": "(the console waits for more input)", "detail": ""}]}
        if shown == "PANIC":
            return {"expression": expression, "panic": True}
        if shown.startswith("\nError: "):
            if "panic in function implementation" in shown:
                return {"expression": expression, "panic": True}
            return {"expression": expression, "errors": errors(shown)}
        ty = self.ask(f"type({expression})")
        if ty is None or ty == "PANIC" or ty.startswith("\nError: "):
            # `type` is confused by what is an error in an argument only: an expression that ends in a comma, `f(x...)`.
            return {"expression": expression, "shown": shown}
        found = {"expression": expression, "type": re.sub(r"\s+|,(?=\s*[)}\]])", "", ty)}
        # The console escapes what looks like a template; Base64 has nothing to escape.
        encoded = self.ask(f"base64encode(jsonencode({expression}))")
        if encoded and re.fullmatch(r'"[A-Za-z0-9+/=]*"', encoded):
            found["json"] = base64.b64decode(encoded[1:-1]).decode()
        else:
            found["shown"] = shown
            if shown == "(known after apply)" and self.ask(f"nonsensitive(({expression}) == null)") == "false":
                found["not_null"] = True
        return found


def errors(text):
    """Summary and detail of each error."""
    found = []
    for part in re.split(r"^Error: ", text, flags=re.M)[1:]:
        summary, _, rest = part.partition("\n")
        rest = rest.partition("\nWarning: ")[0]
        lines = rest.split("\n")
        while lines and (not lines[0].strip() or lines[0].startswith("  ")):
            lines.pop(0)
        found.append({"summary": summary.strip(), "detail": "\n".join(lines).strip()})
    return found
