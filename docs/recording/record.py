#!/usr/bin/env python3
"""Records plan and apply of pipelines/hep.hcl as an animated SVG for the README and the book.

usage: docs/recording/record.py [--pipectl FILE] [--output FILE]

Runs the commands below in a terminal of its own, in a copy of pipelines/, types them as a person would, and has termtosvg draw what
the terminal showed. Needs `pip install termtosvg`. Long waits are shortened; nothing else is changed.
"""

import argparse
import fcntl
import json
import os
import pty
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COLUMNS, LINES = 118, 30
COMMANDS = [
    "pipectl apply pipelines/hep.hcl",
    "pipectl plan pipelines/hep.hcl -var epochs=12",
]
# The person in front of the terminal.
ANSWERS = {"Enter a value:": "yes"}
KEY_SECONDS = 0.06
READING_SECONDS = 2.5
# Silence longer than this is cut to this.
LONGEST_WAIT = 0.4
# Progress moves more often than anyone can read.
SHORTEST_FRAME = 1.5


class Recording:
    """What stood on the terminal, and when: the events of an asciicast."""

    def __init__(self) -> None:
        self.events: list[tuple[float, str]] = []
        self.now = 0.0

    def show(self, text: str, wait: float) -> None:
        self.now += wait
        self.events.append((self.now, text))

    def type(self, text: str) -> None:
        for key in text:
            self.show(key, KEY_SECONDS)


def run(command: str, folder: Path, path: str, recording: Recording) -> None:
    """Runs a command in a terminal of its own and records what it writes."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(folder)
        environment = {"PATH": path, "HOME": str(folder), "TERM": "xterm-256color", "LANG": "C.UTF-8"}
        os.execvpe("sh", ["sh", "-c", f"exec {command}"], environment)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    last, pending, shown = time.monotonic(), "", time.monotonic()
    waiting_for = dict(ANSWERS)
    while True:
        readable, _, _ = select.select([terminal], [], [], 0.05)
        if readable:
            try:
                read = os.read(terminal, 1 << 16)
            except OSError:
                read = b""
            if not read:
                break
            pending += read.decode(errors="replace")
        now = time.monotonic()
        if pending and now - shown >= SHORTEST_FRAME:
            recording.show(pending, min(now - last, LONGEST_WAIT))
            for question in [question for question in waiting_for if question in pending]:
                recording.now += READING_SECONDS
                os.write(terminal, (waiting_for.pop(question) + "\n").encode())
            last = shown = now
            pending = ""
    recording.show(pending, LONGEST_WAIT)
    _, status = os.waitpid(process, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"{command} failed:\n" + "".join(text for _, text in recording.events)[-3000:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pipectl", default=str(ROOT / "target/ci/pipectl"))
    parser.add_argument("--output", default=str(ROOT / "docs/src/images/apply.svg"))
    arguments = parser.parse_args()
    recording = Recording()
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        for name in ("hep.hcl", "data"):
            source = ROOT / "pipelines" / name
            target = folder / "pipelines" / name
            target.parent.mkdir(exist_ok=True)
            shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
        (folder / "bin").mkdir()
        (folder / "bin/pipectl").symlink_to(Path(arguments.pipectl).resolve())
        path = f"{folder}/bin:{os.environ['PATH']}"
        for command in COMMANDS:
            recording.show("\x1b[32m$\x1b[0m ", 0.3)
            recording.type(command)
            recording.show("\r\n", 0.4)
            run(command, folder, path, recording)
            recording.now += READING_SECONDS
        recording.show("\x1b[32m$\x1b[0m ", READING_SECONDS)
        cast = folder / "session.cast"
        header = {"version": 2, "width": COLUMNS, "height": LINES}
        lines = [header, *([round(at, 3), "o", text] for at, text in recording.events)]
        cast.write_text("".join(json.dumps(line) + "\n" for line in lines))
        output = Path(arguments.output)
        output.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["termtosvg", "render", str(cast), str(output), "-t", "gjm8", "-D", "4000", "-m", "200"], check=True
        )
        text = output.read_text()
        if str(folder) in text or str(ROOT) in text:
            sys.exit("the recording shows a path of this machine")
    size = output.stat().st_size
    print(f"{output}: {size / 1000:.0f} kB, {recording.now:.0f} s")
    if size > 300_000:
        sys.exit("too large for a page")


if __name__ == "__main__":
    main()
