#!/usr/bin/env python3
"""Keeps states and artifacts on a real server, SeaweedFS, and makes buckets there, with the real program; looks at all of it with boto3.

usage: tests/peers/s3_interop.py

Needs boto3, the program in PIPECTL, and the server that `tests/servers/seaweedfs up` starts, in S3_ENDPOINT.
"""

import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import boto3

ROOT = pathlib.Path(__file__).resolve().parents[2]
PIPECTL = os.environ["PIPECTL"]
ENDPOINT = os.environ["S3_ENDPOINT"]
KEYS = {"AWS_ACCESS_KEY_ID": "pipectl-tests", "AWS_SECRET_ACCESS_KEY": "not-a-secret-of-anybody"}
S3 = boto3.client(
    "s3",
    endpoint_url=ENDPOINT,
    region_name="us-east-1",
    aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
    aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
)
BUCKET = f"states-{os.getpid()}-{time.time_ns()}"

BACKEND = f"""
  backend "s3" {{
    bucket         = "{BUCKET}"
    key            = "KEY"
    region         = "us-east-1"
    use_path_style = true
    endpoints = {{
      s3 = "{ENDPOINT}"
    }}
  }}
"""

SITE = (
    "terraform {"
    + BACKEND.replace("KEY", "net/terraform.tfstate")
    + """}
resource "terraform_data" "a" {
  count = 5
  input = "object ${count.index}"
}
output "names" {
  value = terraform_data.a[*].output
}
"""
)

SLOW = (
    'pipeline "slow" {'
    + BACKEND.replace("KEY", "slow")
    + """}
resource "time_sleep" "a" {
  count           = 8
  create_duration = "2s"
  concurrency     = 2
}
"""
)

READER = f"""
pipeline "reader" {{}}

data "terraform_remote_state" "site" {{
  backend = "s3"
  config = {{
    bucket                  = "{BUCKET}"
    key                     = "KEY"
    region                  = "us-east-1"
    use_path_style          = true
    skip_metadata_api_check = true
    endpoints = {{
      s3 = "{ENDPOINT}"
    }}
  }}
}}

output "names" {{
  value = data.terraform_remote_state.site.outputs.names
}}
"""


def environment(**more: str) -> dict[str, str]:
    clear = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_", "CI"))}
    return clear | KEYS | {"HOME": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true"} | more


def run(folder: pathlib.Path, *words: str, status: int = 0, **more: str) -> str:
    done = subprocess.run(
        [PIPECTL, *words], cwd=folder, env=environment(**more), capture_output=True, text=True, timeout=120, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode == status, f"{words} ended with {done.returncode}, not {status}:\n{said}"
    for secret in (KEYS["AWS_SECRET_ACCESS_KEY"], "hunter2"):
        assert secret not in said, f"{words} shows a key:\n{said}"
    return said


def keys(prefix: str = "") -> list[str]:
    pages = S3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    return [found["Key"] for page in pages for found in page.get("Contents", [])]


def cycle(folder: pathlib.Path) -> None:
    (folder / "main.tf").write_text(SITE)
    assert f"s3://{BUCKET}/net/terraform.pipectl (none yet)" in run(folder, "init")
    assert "Plan: 5 to add" in run(folder, "plan")
    assert keys() == [], "a plan writes nothing"
    run(folder, "apply", "-auto-approve")
    assert "net/terraform.pipectl/header" in keys()
    assert not (folder / ".pipectl/default/default/log").exists(), "no state on the disk"
    assert "No changes" in run(folder, "plan", "-detailed-exitcode")
    said = run(folder, "plan", TF_LOG="debug")
    assert f"GET {ENDPOINT}/{BUCKET}/net/terraform.pipectl/header" in said, said
    pulled = json.loads(run(folder, "state", "pull"))
    assert len(pulled["resources"][0]["instances"]) == 5
    # What lies there can be read with any client: records are lines of JSON.
    header = S3.get_object(Bucket=BUCKET, Key="net/terraform.pipectl/header")["Body"].read().decode()
    assert '"lineage"' in header, header

    run(folder, "workspace", "new", "dev")
    run(folder, "apply", "-auto-approve")
    assert "env:/dev/net/terraform.pipectl/header" in keys()
    assert run(folder, "workspace", "list").split() == ["default", "*", "dev"]
    run(folder, "destroy", "-auto-approve")
    run(folder, "workspace", "select", "default")
    run(folder, "workspace", "delete", "dev")
    # What is left of it says that it is gone, and that nobody holds it.
    assert {key.split("/")[-1] for key in keys("env:/")} == {"header", "lease"}, keys("env:/")
    assert run(folder, "workspace", "list").split() == ["*", "default"]


def reading(folder: pathlib.Path) -> None:
    (folder / "reader.hcl").write_text(READER.replace("KEY", "net/terraform.tfstate"))
    said = run(folder, "plan", "reader.hcl")
    assert '"object 4"' in said, said
    # Where only Terraform has a state, that is read.
    state = {
        "version": 4,
        "terraform_version": "1.11.4",
        "serial": 1,
        "lineage": "c0ffee",
        "outputs": {"names": {"value": ["of terraform"], "type": ["list", "string"]}},
        "resources": [],
    }
    S3.put_object(Bucket=BUCKET, Key="old/terraform.tfstate", Body=json.dumps(state).encode())
    (folder / "reader.hcl").write_text(READER.replace("KEY", "old/terraform.tfstate"))
    said = run(folder, "plan", "reader.hcl")
    assert '"of terraform"' in said, said
    (folder / "reader.hcl").write_text(READER.replace("KEY", "none"))
    assert "No stored state was found" in run(folder, "plan", "reader.hcl", status=1)
    (folder / "reader.hcl").write_text(READER.replace("KEY", "none").replace("use_path_style ", "use_path_stile "))
    assert 'unexpected attribute "use_path_stile"' in run(folder, "validate", "reader.hcl", status=1)


def beside_terraform(folder: pathlib.Path) -> None:
    data = {"mode": "managed", "type": "terraform_data", "name": "a", "instances": []}
    state = {"version": 4, "serial": 1, "lineage": "c0ffee", "outputs": {}, "resources": [data]}
    S3.put_object(Bucket=BUCKET, Key="was/terraform.tfstate", Body=json.dumps(state).encode())
    (folder / "main.tf").write_text(SITE.replace("net/", "was/"))
    said = run(folder, "plan")
    assert "State of Terraform not imported" in said and f"s3://{BUCKET}/was/terraform.tfstate" in said, said


def locks(folder: pathlib.Path) -> None:
    (folder / "slow.hcl").write_text(SLOW)
    first = subprocess.Popen(
        [PIPECTL, "apply", "-auto-approve", "slow.hcl"],
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 60
    while len([key for key in keys("slow/log/")]) < 3:
        assert time.monotonic() < until and first.poll() is None
        time.sleep(0.1)
    said = run(folder, "apply", "-auto-approve", "slow.hcl", status=1)
    assert "State locked" in said and "pipectl force-unlock slow.hcl " in said, said
    assert "Plan:" in run(folder, "plan", "slow.hcl"), "a plan takes no lock"
    first.send_signal(signal.SIGKILL)
    first.wait()
    said = run(folder, "apply", "-auto-approve", "slow.hcl", status=1)
    lock = said.split("force-unlock slow.hcl ")[1].split()[0]
    assert "is not locked under the id" in run(folder, "force-unlock", "-force", "slow.hcl", "0" * 32, status=1)
    assert "nobody can be asked" in run(folder, "force-unlock", "slow.hcl", lock, status=1)
    assert "has been unlocked" in run(folder, "force-unlock", "-force", "slow.hcl", lock)
    run(folder, "apply", "-auto-approve", "slow.hcl")
    assert "No changes" in run(folder, "plan", "slow.hcl")
    assert len(run(folder, "state", "list", "slow.hcl").split()) == 8
    run(folder, "destroy", "-auto-approve", "slow.hcl")


def sealed(folder: pathlib.Path) -> None:
    encryption = '\n  encryption {\n    passphrase = secret("env:STATE")\n  }\n}'
    text = 'pipeline "sealed" {' + BACKEND.replace("KEY", "sealed").rstrip() + encryption
    text += '\nresource "terraform_data" "a" {\n  input = "canary-5f1d"\n}\n'
    (folder / "sealed.hcl").write_text(text)
    run(folder, "apply", "-auto-approve", "sealed.hcl", STATE="a passphrase that is long")
    assert keys("sealed/"), "there is a state"
    for key in keys("sealed/"):
        body = S3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        assert b"canary" not in body and b"a passphrase" not in body, key
    assert "State not decrypted" in run(folder, "plan", "sealed.hcl", status=1, STATE="another one, also long")


STAGE = """
pipeline "shared" {
  artifact_store "s3" {
    bucket         = "BUCKET"
    key            = "artifacts"
    region         = "us-east-1"
    use_path_style = true
    READ_ONLY
    endpoints = {
      s3 = "ENDPOINT"
    }
  }
}

stage "convert" "events" {
  source = "events.parquet"
  step "select" {
    columns = ["label"]
  }
  output {
    format = "parquet"
  }
}
""".replace("BUCKET", BUCKET).replace("ENDPOINT", ENDPOINT)


def machine(folder: pathlib.Path, name: str, read_only: bool = False) -> pathlib.Path:
    """A machine with a disk of its own, and the pipeline's files."""
    place = folder / name
    place.mkdir()
    (place / "shared.hcl").write_text(STAGE.replace("READ_ONLY", "read_only = true" if read_only else ""))
    shutil.copy(ROOT / "pipelines/data/hep/test-0.parquet", place / "events.parquet")
    return place


def files(folder: pathlib.Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def artifacts(folder: pathlib.Path) -> None:
    reader = machine(folder, "reader", read_only=True)
    run(reader, "apply", "-auto-approve", "shared.hcl")
    assert keys("artifacts/") == [], "whoever may only read writes nothing"
    first, second = machine(folder, "first"), machine(folder, "second")
    assert "restored" not in run(first, "apply", "-auto-approve", "shared.hcl")
    kinds = {key.split("/")[1] for key in keys("artifacts/")}
    assert kinds == {"blobs", "manifests", "actions"}, kinds
    for key in keys("artifacts/blobs/"):
        body = S3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        assert hashlib.sha256(body).hexdigest() == key.split("/")[-1], key
    said = run(second, "apply", "-auto-approve", "shared.hcl")
    assert "restored" in said, said
    assert files(first / "artifacts") == files(second / "artifacts") != {}
    # What is damaged in the bucket is made again, and mended there.
    third, fourth = machine(folder, "third"), machine(folder, "fourth")
    for key in keys("artifacts/blobs/"):
        S3.put_object(Bucket=BUCKET, Key=key, Body=b"something else")
    assert "restored" not in run(third, "apply", "-auto-approve", "shared.hcl")
    assert "restored" in run(fourth, "apply", "-auto-approve", "shared.hcl")
    assert files(first / "artifacts") == files(fourth / "artifacts")
    fifth = machine(folder, "fifth")
    (fifth / "shared.hcl").write_text((fifth / "shared.hcl").read_text().replace(f'"{BUCKET}"', '"not-there"'))
    said = run(fifth, "apply", "-auto-approve", "shared.hcl", status=1)
    assert "404 NoSuchBucket" in said and "Artifact store failed" in said, said


def kinds(folder: pathlib.Path) -> None:
    """What stacks/data-bucket makes: boto3 sees it, and what boto3 changes is planned away."""
    stack = folder / "stacks/data-bucket"
    shutil.copytree(ROOT / "stacks/data-bucket", stack)
    shutil.copytree(ROOT / "modules", folder / "modules")
    bucket = BUCKET.replace("states", "kinds")
    events = ROOT / "pipelines/data/hep/test-0.parquet"
    given = [f"-var={name}={value}" for name, value in (("bucket", bucket), ("endpoint", ENDPOINT), ("events", events))]

    def asked(verb: str, *words: str, status: int = 0) -> str:
        approved = [] if verb == "plan" else ["-auto-approve"]
        return run(stack, verb, *approved, *given, *words, status=status)

    def there(key: str) -> bytes:
        return S3.get_object(Bucket=bucket, Key=key)["Body"].read()

    assert "Plan: 5 to add" in asked("plan")
    asked("apply")
    assert "No changes" in asked("plan", "-detailed-exitcode")
    assert there("events/test-0.parquet") == events.read_bytes()
    readme = there("README.md")
    assert run(stack, "output", "-raw", "readme").encode() == readme
    assert S3.get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "project", "Value": "hep"}]
    assert S3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert S3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"][0]["Expiration"] == {"Days": 14}

    # What others change is shown, and changed back.
    S3.put_object(Bucket=bucket, Key="README.md", Body=b"# Not ours", ContentType="text/markdown")
    S3.delete_object(Bucket=bucket, Key="events/test-0.parquet")
    S3.delete_bucket_tagging(Bucket=bucket)
    S3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    S3.delete_bucket_lifecycle(Bucket=bucket)
    said = asked("plan", "-detailed-exitcode", status=2)
    assert "Plan: 2 to add, 3 to change, 0 to destroy" in said and "# Not ours" in said, said
    asked("apply")
    assert "No changes" in asked("plan", "-detailed-exitcode")
    assert there("README.md") == readme and there("events/test-0.parquet") == events.read_bytes()

    # A run that is killed while it sends a large file leaves parts, which the next run removes.
    large = folder / "large.bin"
    large.write_bytes(os.urandom(1 << 20) * 400)
    given[2] = f"-var=events={large}"
    child = subprocess.Popen(
        [PIPECTL, "apply", "-auto-approve", *given],
        cwd=stack,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 60
    while not any(
        S3.list_parts(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"]).get("Parts")
        for upload in S3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    ):
        assert time.monotonic() < until and child.poll() is None, "it was killed too late"
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert len(S3.list_multipart_uploads(Bucket=bucket)["Uploads"]) == 1
    asked("apply")
    assert "Uploads" not in S3.list_multipart_uploads(Bucket=bucket)
    assert "No changes" in asked("plan", "-detailed-exitcode")
    digest = hashlib.md5(large.read_bytes()).hexdigest()
    assert S3.head_object(Bucket=bucket, Key="events/large.bin")["Metadata"] == {"pipectl-md5": digest}
    assert hashlib.md5(there("events/large.bin")).hexdigest() == digest

    S3.put_object(Bucket=bucket, Key="theirs", Body=b"of somebody else")
    assert "still holds `theirs`" in asked("destroy", status=1)
    for found in S3.list_object_versions(Bucket=bucket).get("Versions", []):
        S3.delete_object(Bucket=bucket, Key=found["Key"], VersionId=found["VersionId"])
    asked("destroy")
    assert bucket not in {found["Name"] for found in S3.list_buckets()["Buckets"]}


def mistakes(folder: pathlib.Path) -> None:
    (folder / "main.tf").write_text(SITE)
    said = run(folder, "plan", status=1, AWS_SECRET_ACCESS_KEY="hunter2")
    assert "403 SignatureDoesNotMatch" in said, said
    started = time.monotonic()
    said = run(folder, "plan", status=1, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="", AWS_PROFILE="nobody")
    assert "credentials" in said and time.monotonic() - started < 20, said
    (folder / "main.tf").write_text(SITE.replace(f'"{BUCKET}"', '"not-there"'))
    assert "404 NoSuchBucket" in run(folder, "apply", "-auto-approve", status=1)
    (folder / "main.tf").write_text(SITE.replace("use_path_style", "use_path_stile"))
    said = run(folder, "validate", status=1)
    assert "main.tf:" in said and "use_path_stile" in said, said
    (folder / "main.tf").write_text(SITE.replace("net/terraform.tfstate", "/net/"))
    assert "must not begin or end with a slash" in run(folder, "validate", status=1)


def main() -> None:
    S3.create_bucket(Bucket=BUCKET)
    for check in (cycle, reading, beside_terraform, locks, sealed, artifacts, kinds, mistakes):
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder)
            if check is reading:
                (path / "main.tf").write_text(SITE)
            check(path)
        print(f"{check.__name__:18} {time.monotonic() - started:5.1f} s")


if __name__ == "__main__":
    main()
