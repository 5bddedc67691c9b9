#!/usr/bin/env python3
"""Makes an infrastructure in the simulated OCI with pipectl, and looks at it with Oracle's unmodified CLI: it is there, it is found again when the
CLI has changed it, and nothing is left of it in the end.

usage: tests/peers/oci_apply_interop.py

Needs what tests/peers/oci_interop.py needs.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import yaml
from oci_interop import CHECKS, CLEAN, Simulator

ROOT = pathlib.Path(__file__).resolve().parents[2]
PIPECTL = os.environ["PIPECTL"]


class Infrastructure:
    """The one of the tests of the provider, in a folder of its own."""

    def __init__(self, sim, folder):
        self.sim, self.folder = sim, pathlib.Path(folder, "root")
        self.folder.mkdir()
        shutil.copy(ROOT / "tests/oci/training.hcl", self.folder / "main.hcl")
        self.environment = CLEAN | {"OCI_CONFIG_FILE": sim.config, "HOME": folder}

    def run(self, verb, *words, expected=0):
        own = {"endpoint": self.sim.endpoint, "compartment": self.sim.compartment, "namespace": self.sim.namespace, "nodes": "2"}
        variables = [word for name, text in own.items() for word in ("-var", f"{name}={text}") if verb != "output"]
        command = [PIPECTL, verb, "-no-color", *variables, *words]
        done = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == expected, f"{command}:\n{done.stdout}{done.stderr}"
        return done.stdout


def network(sim, home):
    (vcn,) = sim.cli("network", "vcn", "list", *home)["data"]
    assert (vcn["display-name"], vcn["cidr-blocks"], vcn["dns-label"]) == ("training", ["10.0.0.0/16"], "training"), vcn
    within = (*home, "--vcn-id", vcn["id"])
    subnets = {net["display-name"]: net for net in sim.cli("network", "subnet", "list", *within)["data"]}
    assert {name: net["cidr-block"] for name, net in subnets.items()} == {"api": "10.0.0.0/24", "nodes": "10.0.1.0/24"}, subnets
    assert subnets["nodes"]["prohibit-public-ip-on-vnic"] is True, subnets
    table = sim.cli("network", "route-table", "get", "--rt-id", subnets["nodes"]["route-table-id"])["data"]
    assert {rule["destination-type"] for rule in table["route-rules"]} == {"CIDR_BLOCK", "SERVICE_CIDR_BLOCK"}, table
    (group,) = sim.cli("network", "nsg", "list", *within)["data"]
    (rule,) = sim.cli("network", "nsg", "rules", "list", "--nsg-id", group["id"])["data"]
    assert rule["tcp-options"]["destination-port-range"] == {"min": 6443, "max": 6443}, rule
    return vcn, group


def cluster(sim, home, group, made, folder):
    (found,) = sim.cli("ce", "cluster", "list", *home)["data"]
    assert (found["id"], found["lifecycle-state"], found["kubernetes-version"]) == (made, "ACTIVE", "v1.33.1"), found
    assert found["endpoint-config"]["nsg-ids"] == [group["id"]], found
    file = pathlib.Path(folder, "kubeconfig")
    sim.cli("ce", "cluster", "create-kubeconfig", "--cluster-id", made, "--file", str(file), "--kube-endpoint", "PRIVATE_ENDPOINT")
    server = yaml.safe_load(file.read_text())["clusters"][0]["cluster"]["server"]
    assert found["endpoints"]["private-endpoint"] in server, (server, found)
    (pool,) = sim.cli("ce", "node-pool", "list", *home, "--cluster-id", made)["data"]
    pool = sim.cli("ce", "node-pool", "get", "--node-pool-id", pool["id"])["data"]
    assert [node["lifecycle-state"] for node in pool["nodes"]] == ["ACTIVE", "ACTIVE"], pool
    return pool


def bucket(sim, home, folder):
    (found,) = sim.cli("os", "bucket", "list", *home, "--namespace", sim.namespace)["data"]
    file, there = pathlib.Path(folder, "rows.csv"), ("--bucket-name", found["name"], "--namespace", sim.namespace)
    sim.cli("os", "object", "get", *there, "--name", "dir/rows.csv", "--file", str(file))
    assert file.read_text() == "x,y\n", file.read_text()


def changed_by_others(sim, infrastructure, vcn, pool):
    """What the CLI changes is seen, and set right."""
    sim.cli("network", "vcn", "update", "--vcn-id", vcn["id"], "--display-name", "theirs")
    wait = ("--wait-for-state", "SUCCEEDED", "--wait-interval-seconds", "1")
    sim.cli("ce", "node-pool", "update", "--node-pool-id", pool["id"], "--size", "1", "--force", *wait)
    planned = infrastructure.run("plan", "-detailed-exitcode", expected=2)
    assert "oci_core_vcn.main" in planned and "oci_containerengine_node_pool.cpu" in planned, planned
    infrastructure.run("apply", "-auto-approve")
    assert sim.cli("network", "vcn", "get", "--vcn-id", vcn["id"])["data"]["display-name"] == "training"
    nodes = sim.cli("ce", "node-pool", "get", "--node-pool-id", pool["id"])["data"]["nodes"]
    assert len(nodes) == 2 and infrastructure.run("output", "-raw", "nodes") == "2", nodes
    infrastructure.run("plan", "-detailed-exitcode")


def nothing_left(sim, home):
    # What belongs to a network is gone a moment after it.
    end = time.monotonic() + 10
    while sim.ask("/objects") and time.monotonic() < end:
        time.sleep(0.1)
    assert sim.ask("/objects") == [], sim.ask("/objects")
    for words in (
        ("network", "vcn", "list", *home),
        ("network", "subnet", "list", *home),
        ("network", "nsg", "list", *home),
        ("ce", "cluster", "list", *home),
        ("ce", "node-pool", "list", *home),
        ("os", "bucket", "list", *home, "--namespace", sim.namespace),
    ):
        listed = sim.cli(*words)
        left = [found for found in listed["data"] if found.get("lifecycle-state") not in ("TERMINATED", "DELETED")] if listed else []
        assert left == [], left


def main():
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        sim = Simulator(folder)
        try:
            home = ("--compartment-id", sim.compartment)
            infrastructure = Infrastructure(sim, folder)
            infrastructure.run("apply", "-auto-approve")
            vcn, group = network(sim, home)
            pool = cluster(sim, home, group, infrastructure.run("output", "-raw", "cluster"), folder)
            bucket(sim, home, folder)
            changed_by_others(sim, infrastructure, vcn, pool)
            infrastructure.run("destroy", "-auto-approve")
            nothing_left(sim, home)
        finally:
            sim.process.communicate(timeout=10)
    print(f"CLI: {CHECKS['cli']} commands in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
