#!/usr/bin/env python3
"""Writes what Oracle's SDK for Python signs, and keys in every form that it reads: what our client for OCI is held against.

    python tests/peers/oci_golden.py            # rewrite src/oci-client/tests/data/signatures.json
    python tests/peers/oci_golden.py --check    # compare with what is there, write nothing

Needs the package oci. RSA signatures of this kind are deterministic: the same request under the same key has one signature. The key of the tests lies
beside the file; its encrypted forms are made once, because they hold random numbers.
"""

import base64
import hashlib
import json
import pathlib
import sys

from cryptography.hazmat.primitives import serialization
from oci._vendor import requests
from oci.auth.federation_client import AuthTokenRequestSigner
from oci.auth.signers import SecurityTokenSigner
from oci.signer import Signer, load_private_key

DATA = pathlib.Path(__file__).resolve().parents[2] / "src" / "oci-client" / "tests" / "data"
TENANCY, USER = "ocid1.tenancy.oc1..aaaatest", "ocid1.user.oc1..aaaatest"
DATE = "Thu, 05 Jan 2014 21:31:40 GMT"
CORE = "https://iaas.eu-frankfurt-1.oraclecloud.com/20160918"
STORAGE = "https://objectstorage.eu-frankfurt-1.oraclecloud.com/n/ns/b/bucket"
JSON = {"content-type": "application/json"}
BYTES = {"content-type": "application/octet-stream"}
CASES = [
    ("get", "GET", f"{CORE}/vcns?compartmentId=ocid1.compartment.oc1..aaaa&limit=10&displayName=a%20b", None, {}),
    ("head", "HEAD", f"{STORAGE}/o/a", None, {}),
    ("post", "POST", "https://containerengine.eu-frankfurt-1.oci.oraclecloud.com/20180222/clusters", '{"name": "\u00e4"}',
     JSON | {"opc-retry-token": "x"}),
    ("post without a body", "POST", f"{CORE}/instances/ocid1.instance.oc1..x?action=STOP", "", JSON),
    ("put without a body", "PUT", f"{CORE}/vcns/ocid1.vcn.oc1..x", "", JSON | {"if-match": '"e"'}),
    ("delete", "DELETE", f"{CORE}/vcns/ocid1.vcn.oc1..x", None, {}),
    ("object", "PUT", f"{STORAGE}/o/dir%2Ffile%20x", "not signed", BYTES),
    ("part", "PUT", f"{STORAGE}/u/dir%2Ffile%20x?uploadId=1&uploadPartNum=2", "not signed", BYTES),
    ("upload begins", "POST", f"{STORAGE}/u", '{"object": "a"}', JSON),
    ("port", "GET", "http://127.0.0.1:18999/20160918/vcns?compartmentId=c", None, {}),
]


class Certificate:
    """The instance's key, as the SDK asks for it."""

    def __init__(self, key):
        self.key = key

    def get_private_key(self):
        return self.key


def golden():
    pem = (DATA / "key.pem").read_text()
    key = load_private_key(pem, None)
    der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    fingerprint = ":".join(f"{byte:02x}" for byte in hashlib.md5(der).digest())
    signers = {
        "key": (f"{TENANCY}/{USER}/{fingerprint}", Signer(TENANCY, USER, fingerprint, None, private_key_content=pem)),
        "token": ("ST$a.b.c", SecurityTokenSigner("a.b.c", key)),
        "certificate": (f"{TENANCY}/fed-x509/AA:BB", AuthTokenRequestSigner(TENANCY, "AA:BB", Certificate(key))),
    }
    vectors = []
    for kind, (key_id, signer) in signers.items():
        for name, method, url, body, headers in CASES:
            if kind == "certificate" and name != "post":
                continue
            data = None if body is None else body.encode()
            request = requests.Request(method, url, data=data, headers={**headers, "date": DATE}).prepare()
            # As the client for Object Storage does.
            signer.do_request_sign(request, enforce_content_headers=name not in ("object", "part"))
            vectors.append({
                "name": f"{kind}: {name}", "key_id": key_id, "signs_host": kind != "certificate", "method": method, "url": url,
                "body": body, "content_type": headers.get("content-type"), "authorization": request.headers["authorization"],
            })
    return {"date": DATE, "public": base64.b64encode(der).decode(), "vectors": vectors}


def main():
    text = json.dumps(golden(), indent=1, ensure_ascii=False) + "\n"
    path = DATA / "signatures.json"
    if "--check" in sys.argv[1:]:
        if path.read_text() != text:
            sys.exit(f"{path.name} is not what the SDK signs: run this without --check")
        for form in sorted(DATA.glob("key-*.pem")):
            load_private_key(form.read_text(), "hunter2")
        print(f"{len(golden()['vectors'])} signatures are those of the SDK")
    else:
        path.write_text(text)


main()
