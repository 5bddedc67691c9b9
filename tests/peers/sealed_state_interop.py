#!/usr/bin/env python3
"""Opens the sealed golden files of the state with an independent implementation, and compares them with those in clear.

usage: tests/peers/sealed_state_interop.py

Needs cryptography >= 44 (argon2id). The files hold the same records, so their text must be the same, and a flipped bit must not open.
"""

import base64
import json
import pathlib
import sys

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "src/state/tests/golden"
PASSPHRASE = b"the golden passphrase"
LINEAGE = "5b4bc9b4-lineage"


def unpadded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))


def expand(key: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(key)


def open_sealed(context: str, text: str) -> bytes:
    prefix, version, key_id, kdf, kdf_version, cost, salt, data = text.split("$")
    assert (prefix, version, kdf, kdf_version) == ("pipectl-sealed", "1", "argon2id", "v=19"), text[:60]
    memory, passes, lanes = (int(part.split("=")[1]) for part in cost.split(","))
    master = Argon2id(
        salt=unpadded(salt), length=32, iterations=passes, lanes=lanes, memory_cost=memory
    ).derive(PASSPHRASE)
    assert expand(master, b"", b"pipectl key id", 8).hex() == key_id, "the key's name"
    data = unpadded(data)
    message = expand(master, data[:24], b"pipectl message key", 44)
    covered = f"{context}\n{text[: len(text) - len(text.split('$')[-1])]}".encode()
    return AESGCM(message[:32]).decrypt(message[32:], data[24:], covered)


def main() -> None:
    clear = (GOLDEN / "v2/log").read_text().splitlines()
    sealed = (GOLDEN / "v2-encrypted/log").read_text().splitlines()
    assert clear[0] == sealed[0] and len(clear) == len(sealed), "the header is in clear"
    for ours, theirs in zip(clear[1:], sealed[1:]):
        record = ours[18:]
        text = json.loads(theirs[18:])
        context = f"pipectl log record {json.loads(record)['serial']} {LINEAGE}"
        assert open_sealed(context, text).decode() == record, "a record"
        try:
            open_sealed(context + "0", text)
        except InvalidTag:
            pass
        else:
            sys.exit("a record opens in another's place")
    ours = (GOLDEN / "v2/snapshot-4.json").read_text()
    theirs = json.loads((GOLDEN / "v2-encrypted/snapshot-4.json").read_text())
    snapshot = open_sealed(f"pipectl snapshot 4 {LINEAGE}", theirs["state"]).decode()
    assert ours.split(',"state":', 1)[1] == snapshot + "}\n", "the snapshot"
    print(f"sealed_state: {len(clear) - 1} records and a snapshot are what they should be")


main()
