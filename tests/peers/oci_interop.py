#!/usr/bin/env python3
"""Proves the simulated OCI with the unmodified SDK and CLI of Oracle: what they ask for is done, and what is wrong is refused.

usage: tests/peers/oci_interop.py

Needs the packages oci and oci-cli, and the program pipectl-sim-oci beside that in PIPECTL.
"""

import base64
import datetime
import email.utils
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.parse

import oci
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from oci._vendor import requests
from oci.container_engine import models as oke
from oci.core import models as core
from oci.object_storage import models as storage

PROGRAM = pathlib.Path(os.environ["PIPECTL"]).with_name("pipectl-sim-oci")
CLI = pathlib.Path(sys.executable).with_name("oci")
# What one environment says must not decide what a check finds.
CLEAN = {name: text for name, text in os.environ.items() if not name.startswith("OCI_")}
CHECKS = {"sdk": 0, "cli": 0}


def check(is_right, what):
    assert is_right, what
    CHECKS["sdk"] += 1


def refused(status, code, call, *arguments, **options):
    """The call is refused, with this status and code, and with nothing else."""
    try:
        answer = call(*arguments, **options)
    except oci.exceptions.ServiceError as error:
        check((error.status, error.code) == (status, code), f"{status} {code} was expected: {error}")
        check(error.request_id, "a refusal names its request")
        return error
    raise AssertionError(f"{status} {code} was expected, not {answer.status} {answer.data}")


class Simulator:
    """The program, its addresses, and clients of it."""

    def __init__(self, folder):
        self.process = subprocess.Popen(
            [PROGRAM, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=CLEAN
        )
        self.__dict__.update(json.loads(self.process.stdout.readline()))
        self.settings = oci.config.from_file(self.config)
        oci.config.validate_config(self.settings)

    def client(self, kind, **options):
        service = {
            oci.core.VirtualNetworkClient: "core",
            oci.core.ComputeClient: "core",
            oci.container_engine.ContainerEngineClient: "containerengine",
            oci.object_storage.ObjectStorageClient: "objectstorage",
            oci.identity.IdentityClient: "identity",
        }[kind]
        # Some clients try again by themselves, also after a 409 IncorrectState: what is refused has to be seen.
        options = {"retry_strategy": oci.retry.NoneRetryStrategy()} | options
        return kind(self.settings, service_endpoint=self.services[service], **options)

    def ask(self, path, body=None):
        answer = requests.request("GET" if body is None else "POST", f"{self.endpoint}/_sim{path}", json=body, timeout=10)
        assert answer.ok, answer.text
        return answer.json() if answer.text else None

    def turn(self, **knobs):
        return self.ask("/settings", knobs)

    def cli(self, *words, fails=None):
        endpoint = self.services[{"ce": "containerengine", "os": "objectstorage", "iam": "identity"}.get(words[0], "core")]
        # The CLI tries again by itself, also what is refused for good as long as something else is there.
        patience = ["--no-retry"] if fails else []
        command = [CLI, "--config-file", self.config, "--endpoint", endpoint, *patience, *words]
        environment = CLEAN | {"OCI_CLI_SUPPRESS_FILE_PERMISSIONS_WARNING": "True", "HOME": str(pathlib.Path(self.config).parent)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        said = done.stdout + done.stderr
        if fails:
            assert done.returncode != 0 and fails in said, f"{words} was to fail with {fails}:\n{said}"
        else:
            assert done.returncode == 0, f"{words}:\n{said}"
        CHECKS["cli"] += 1
        # Where the CLI waited, it says so before what it found.
        return json.loads(done.stdout) if done.stdout.startswith("{") else done.stdout


def network(sim):
    client = sim.client(oci.core.VirtualNetworkClient)
    home = sim.compartment

    def until(getter, wanted="AVAILABLE", **options):
        return oci.wait_until(client, getter, "lifecycle_state", wanted, max_interval_seconds=1, **options)

    details = core.CreateVcnDetails(
        compartment_id=home, cidr_block="10.0.0.0/16", display_name="a", dns_label="a", freeform_tags={"by": "sdk"}
    )
    sim.turn(network_ms=2_000)
    made = client.create_vcn(details, opc_retry_token="first")
    vcn = made.data
    check(made.status == 200 and made.headers["etag"] and vcn.id.startswith("ocid1.vcn.oc1."), vcn)
    check(vcn.lifecycle_state == "PROVISIONING" and vcn.cidr_blocks == ["10.0.0.0/16"], vcn)
    check(isinstance(vcn.time_created, datetime.datetime) and vcn.defined_tags == {}, vcn)
    check(vcn.vcn_domain_name == "a.oraclevcn.com", vcn)
    check(client.create_vcn(details, opc_retry_token="first").data.id == vcn.id, "the same token, the same network")
    other = core.CreateVcnDetails(compartment_id=home, cidr_block="10.9.0.0/16")
    refused(409, "InvalidatedRetryToken", client.create_vcn, other, opc_retry_token="first")
    refused(409, "IncorrectState", client.create_subnet,
            core.CreateSubnetDetails(compartment_id=home, vcn_id=vcn.id, cidr_block="10.0.9.0/24"))
    sim.turn(network_ms=0)
    got = until(client.get_vcn(vcn.id))
    vcn = got.data

    # What comes with a network.
    table = client.get_route_table(vcn.default_route_table_id).data
    check(table.display_name == "Default Route Table for a" and table.route_rules == [], table)
    lists = client.get_security_list(vcn.default_security_list_id).data
    check(lists.ingress_security_rules[0].tcp_options.destination_port_range.min == 22, lists)
    options = client.get_dhcp_options(vcn.default_dhcp_options_id).data
    check(type(options.options[0]).__name__ == "DhcpDnsOption", options)
    refused(409, "IncorrectState", client.delete_route_table, table.id)

    # Revisions.
    update = core.UpdateVcnDetails(display_name="b")
    refused(412, "NoEtagMatch", client.update_vcn, vcn.id, update, if_match="stale")
    changed = client.update_vcn(vcn.id, update, if_match=got.headers["etag"])
    check(changed.data.display_name == "b" and changed.headers["etag"] != got.headers["etag"], changed.data)
    check(changed.data.freeform_tags == {"by": "sdk"}, "what an update does not name stays")
    refused(412, "NoEtagMatch", client.delete_vcn, vcn.id, if_match=got.headers["etag"])

    # Subnets and what they refer to.
    def subnet(block, **more):
        return core.CreateSubnetDetails(compartment_id=home, vcn_id=vcn.id, cidr_block=block, **more)

    net = until(client.get_subnet(client.create_subnet(subnet("10.0.1.0/24", dns_label="n")).data.id)).data
    check(net.route_table_id == table.id and net.security_list_ids == [lists.id], net)
    check(net.subnet_domain_name == "n.a.oraclevcn.com" and net.virtual_router_ip == "10.0.1.1", net)
    check(net.prohibit_public_ip_on_vnic is False and net.virtual_router_mac, net)
    refused(400, "InvalidParameter", client.create_subnet, subnet("10.0.1.128/25"))
    refused(400, "InvalidParameter", client.create_subnet, subnet("10.1.0.0/24"))
    refused(400, "InvalidParameter", client.create_subnet, subnet("10.0.2.1/24"))
    refused(404, "NotAuthorizedOrNotFound", client.create_subnet, subnet("10.0.2.0/24", route_table_id="ocid1.routetable.x"))

    # Gateways and routes.
    inward = client.create_internet_gateway(
        core.CreateInternetGatewayDetails(compartment_id=home, vcn_id=vcn.id, is_enabled=True)
    ).data
    until(client.get_internet_gateway(inward.id))
    check(inward.display_name.startswith("internetgateway2"), inward)
    refused(400, "LimitExceeded", client.create_internet_gateway,
            core.CreateInternetGatewayDetails(compartment_id=home, vcn_id=vcn.id, is_enabled=True))
    outward = client.create_nat_gateway(core.CreateNatGatewayDetails(compartment_id=home, vcn_id=vcn.id)).data
    until(client.get_nat_gateway(outward.id))
    check(outward.nat_ip and outward.block_traffic is False, outward)
    everything = next(found for found in client.list_services().data if found.cidr_block.startswith("all-"))
    served = client.create_service_gateway(core.CreateServiceGatewayDetails(
        compartment_id=home, vcn_id=vcn.id, services=[core.ServiceIdRequestDetails(service_id=everything.id)]
    )).data
    until(client.get_service_gateway(served.id))
    check(served.services[0].service_name == everything.name, served)
    rules = [
        core.RouteRule(destination="0.0.0.0/0", network_entity_id=outward.id),
        core.RouteRule(destination=everything.cidr_block, destination_type="SERVICE_CIDR_BLOCK", network_entity_id=served.id),
    ]
    routed = client.create_route_table(
        core.CreateRouteTableDetails(compartment_id=home, vcn_id=vcn.id, route_rules=rules)
    ).data
    until(client.get_route_table(routed.id))
    check([rule.route_type for rule in routed.route_rules] == ["STATIC", "STATIC"], routed)
    refused(400, "InvalidParameter", client.update_route_table, routed.id, core.UpdateRouteTableDetails(route_rules=[
        core.RouteRule(destination="0.0.0.0/0", network_entity_id=served.id)]))
    refused(404, "NotAuthorizedOrNotFound", client.update_route_table, routed.id, core.UpdateRouteTableDetails(route_rules=[
        core.RouteRule(destination="0.0.0.0/0", network_entity_id="ocid1.natgateway.oc1..none")]))
    client.update_subnet(net.id, core.UpdateSubnetDetails(route_table_id=routed.id))
    refused(409, "Conflict", client.delete_nat_gateway, outward.id)
    refused(409, "Conflict", client.delete_route_table, routed.id)
    error = refused(409, "IncorrectState", client.delete_vcn, vcn.id)
    check("that is in use" in error.message, error)

    # Rules.
    ssh = core.TcpOptions(destination_port_range=core.PortRange(min=22, max=22))
    egress = [core.EgressSecurityRule(protocol="all", destination="0.0.0.0/0")]
    guard = client.create_security_list(core.CreateSecurityListDetails(
        compartment_id=home, vcn_id=vcn.id, egress_security_rules=egress,
        ingress_security_rules=[core.IngressSecurityRule(protocol="6", source="10.0.0.0/8", tcp_options=ssh)],
    )).data
    until(client.get_security_list(guard.id))
    check(guard.ingress_security_rules[0].source_type == "CIDR_BLOCK", guard)
    refused(400, "InvalidParameter", client.update_security_list, guard.id, core.UpdateSecurityListDetails(
        ingress_security_rules=[core.IngressSecurityRule(protocol="17", source="10.0.0.0/8", tcp_options=ssh)]))
    group = client.create_network_security_group(
        core.CreateNetworkSecurityGroupDetails(compartment_id=home, vcn_id=vcn.id)
    ).data
    until(client.get_network_security_group(group.id))
    added = client.add_network_security_group_security_rules(group.id, core.AddNetworkSecurityGroupSecurityRulesDetails(
        security_rules=[
            core.AddSecurityRuleDetails(direction="INGRESS", protocol="6", source="0.0.0.0/0", tcp_options=ssh),
            core.AddSecurityRuleDetails(direction="EGRESS", protocol="all", destination=group.id,
                                        destination_type="NETWORK_SECURITY_GROUP"),
        ])).data.security_rules
    check(len({rule.id for rule in added}) == 2 and all(rule.is_valid for rule in added), added)
    refused(400, "MissingParameter", client.add_network_security_group_security_rules, group.id,
            core.AddNetworkSecurityGroupSecurityRulesDetails(security_rules=[
                core.AddSecurityRuleDetails(direction="EGRESS", protocol="all")]))
    check(len(client.list_network_security_group_security_rules(group.id, direction="EGRESS").data) == 1, "one is egress")
    client.update_network_security_group_security_rules(group.id, core.UpdateNetworkSecurityGroupSecurityRulesDetails(
        security_rules=[core.UpdateSecurityRuleDetails(id=added[0].id, direction="INGRESS", protocol="all", source="10.0.0.0/8")]))
    left = client.list_network_security_group_security_rules(group.id, direction="INGRESS").data
    check(left[0].protocol == "all" and left[0].tcp_options is None, left)
    client.remove_network_security_group_security_rules(group.id, core.RemoveNetworkSecurityGroupSecurityRulesDetails(
        security_rule_ids=[added[0].id]))
    check(len(client.list_network_security_group_security_rules(group.id).data) == 1, "one is left")

    # Lists and pages.
    made = [client.create_vcn(core.CreateVcnDetails(compartment_id=home, cidr_block="10.0.0.0/16", display_name=name)).data
            for name in "vwxyz"]
    first = client.list_vcns(home, limit=2)
    check(len(first.data) == 2 and first.has_next_page, first.headers)
    whole = oci.pagination.list_call_get_all_results(client.list_vcns, home, limit=2, sort_by="DISPLAYNAME").data
    check([found.display_name for found in whole] == ["b", *"vwxyz"], whole)
    check([found.id for found in client.list_vcns(home, display_name="x").data] == [made[2].id], "by its name")
    check(client.list_vcns(sim.other_compartment).data == [], "another compartment has none")
    refused(400, "InvalidParameter", client.list_vcns, home, page="nonsense")
    for found in made:
        until(client.get_vcn(found.id))
    sim.turn(network_ms=2_000)
    client.delete_vcn(made[0].id)
    gone = client.get_vcn(made[0].id)
    check(gone.data.lifecycle_state == "TERMINATING", gone.data)
    refused(409, "IncorrectState", client.delete_vcn, made[0].id)
    sim.turn(network_ms=0)
    for found in made[1:]:
        client.delete_vcn(found.id)
    until(gone, "TERMINATED", succeed_on_not_found=True)
    client.change_vcn_compartment(vcn.id, core.ChangeVcnCompartmentDetails(compartment_id=sim.other_compartment))
    check([found.id for found in client.list_vcns(sim.other_compartment).data] == [vcn.id], "it was moved")
    client.add_vcn_cidr(vcn.id, core.AddVcnCidrDetails(cidr_block="10.1.0.0/16"))
    check(client.get_vcn(vcn.id).data.cidr_blocks == ["10.0.0.0/16", "10.1.0.0/16"], "it has two blocks")
    refused(400, "InvalidParameter", client.add_vcn_cidr, vcn.id, core.AddVcnCidrDetails(cidr_block="10.1.1.0/24"))

    # Everything can be taken down again, in order.
    composite = oci.core.VirtualNetworkClientCompositeOperations(client)
    for kind, found in (("subnet", net), ("route_table", routed), ("security_list", guard), ("network_security_group", group),
                        ("internet_gateway", inward), ("nat_gateway", outward), ("service_gateway", served)):
        getattr(client, f"delete_{kind}")(found.id)
    composite.delete_vcn_and_wait_for_state(
        vcn.id, ["TERMINATED"], waiter_kwargs={"max_interval_seconds": 1, "succeed_on_not_found": True})
    time.sleep(0.3)
    sim.turn(network_terminated_ms=0)
    refused(404, "NotAuthorizedOrNotFound", client.get_vcn, "ocid1.vcn.oc1..never")
    left = [found for found in sim.ask("/objects") if found["kind"] != "vnic"]
    check(left == [], left)


def contract(sim):
    """Requests that the SDK's models would not make, sent with the SDK's own signer."""
    signer = oci.signer.Signer.from_config(sim.settings)

    def send(method, path, body=None, signer=signer, **fields):
        data = body if isinstance(body, (bytes, str)) or body is None else json.dumps(body)
        headers = {"content-type": "application/json"} | {name.replace("_", "-"): text for name, text in fields.items()}
        return requests.request(method, sim.services["core"] + path, data=data, auth=signer, headers=headers, timeout=10)

    def code(status, wanted, *arguments, **options):
        answer = send(*arguments, **options)
        check(answer.status_code == status, f"{status} {wanted} was expected: {answer.status_code} {answer.text}")
        check(answer.json()["code"] == wanted, f"{wanted} was expected: {answer.text}")
        return answer.json()["message"]

    good = {"compartmentId": sim.compartment, "cidrBlock": "10.0.0.0/16"}
    vcns = "/20160918/vcns"
    code(404, "NotAuthorizedOrNotFound", "GET", "/20160918/vcnz")
    code(404, "NotAuthorizedOrNotFound", "PATCH", vcns, good)
    # Each service knows its own operations alone.
    code(404, "NotAuthorizedOrNotFound", "GET", f"/20180222/clusters?compartmentId={sim.compartment}")
    check("colour" in code(400, "InvalidParameter", "POST", vcns, good | {"colour": "red"}), "the member is named")
    check("compartmentId" in code(400, "MissingParameter", "POST", vcns, {"cidrBlock": "10.0.0.0/16"}), "the member is named")
    code(400, "MissingParameter", "POST", vcns, good | {"compartmentId": None})
    code(400, "CannotParseRequest", "POST", vcns, good | {"displayName": 7})
    code(400, "CannotParseRequest", "POST", vcns, good | {"freeformTags": {"a": 1}})
    code(400, "CannotParseRequest", "POST", vcns, good | {"cidrBlocks": "10.0.0.0/16"})
    code(400, "CannotParseRequest", "POST", vcns, "{")
    code(400, "CannotParseRequest", "POST", vcns, "[]")
    code(415, "UnsupportedMediaType", "POST", vcns, good, content_type="text/plain")
    code(404, "NotAuthorizedOrNotFound", "POST", vcns, good | {"compartmentId": "ocid1.compartment.oc1..other"})
    code(400, "MissingParameter", "GET", vcns)
    query = f"{vcns}?compartmentId={urllib.parse.quote(sim.compartment)}"
    code(400, "InvalidParameter", "GET", f"{query}&colour=red")
    code(400, "InvalidParameter", "GET", f"{query}&limit=many")
    code(400, "InvalidParameter", "GET", f"{query}&limit=1001")
    code(400, "InvalidParameter", "GET", f"{query}&sortBy=COLOUR")
    instance = {"compartmentId": sim.compartment, "availabilityDomain": "x", "shape": "y"}
    code(400, "InvalidParameter", "POST", "/20160918/instances", instance | {"sourceDetails": {"sourceType": "cd"}})
    code(400, "MissingParameter", "POST", "/20160918/instances", instance | {"sourceDetails": {}})
    code(400, "InvalidParameter", "POST", "/20160918/instances",
         instance | {"sourceDetails": {"sourceType": "image", "bootVolumeId": "z"}})
    check(send("POST", vcns, good | {"displayName": None}).status_code == 200, "null is the same as absence")
    return send, code, query, good


def signatures(sim, send, code, query, good):
    signer = oci.signer.Signer.from_config(sim.settings)
    vcns = "/20160918/vcns"

    class Meddler(requests.auth.AuthBase):
        """Signs as the SDK does, and changes the request afterwards, or its date before."""

        def __init__(self, date=None, body=None, target=None, drop=None, key_id=None):
            self.date, self.body, self.target, self.drop, self.key_id = date, body, target, drop, key_id

        def __call__(self, request):
            if self.date:
                request.headers["date"] = email.utils.format_datetime(self.date, usegmt=True)
            signer.do_request_sign(request)
            if self.body:
                request.body = self.body
                request.headers["content-length"] = str(len(self.body))
            if self.target:
                request.url = request.url.replace(*self.target)
            signature = request.headers["authorization"]
            if self.drop:
                request.headers["authorization"] = signature.replace(f" {self.drop}", "")
            if self.key_id:
                request.headers["authorization"] = signature.replace(sim.key_id, self.key_id)
            return request

    now = datetime.datetime.now(datetime.timezone.utc)
    minutes = lambda number: datetime.timedelta(minutes=number)
    body = json.dumps(good)
    check(send("GET", query, signer=Meddler()).status_code == 200, "an untouched request is taken")
    check(send("GET", query, signer=Meddler(date=now - minutes(4))).status_code == 200, "4 minutes are allowed")
    check("skew" in code(401, "NotAuthenticated", "GET", query, signer=Meddler(date=now - minutes(6))), "late")
    check("skew" in code(401, "NotAuthenticated", "GET", query, signer=Meddler(date=now + minutes(6))), "early")
    check("match" in code(401, "NotAuthenticated", "GET", query, signer=Meddler(target=("compartmentId", "compartmentID"))), "")
    longer = body.replace("10.0", "10.1")
    check("digest" in code(401, "NotAuthenticated", "POST", vcns, body, signer=Meddler(body=longer)), "another body")
    for field in ("(request-target)", "host", "x-content-sha256", "content-type", "content-length"):
        said = code(401, "NotAuthenticated", "POST", vcns, body, signer=Meddler(drop=field))
        check(field in said, said)
    check("keyId" in code(401, "NotAuthenticated", "GET", query, signer=Meddler(key_id=sim.key_id + "0")), "another key")
    check("no Signature" in code(401, "NotAuthenticated", "GET", query, signer=None), "no signature")

    # Another key of another user, once it is known.
    key = rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    mine = oci.signer.Signer(sim.tenancy, "ocid1.user.oc1..second", "aa:bb", None, private_key_content=private)
    code(401, "NotAuthenticated", "GET", query, signer=mine)
    sim.ask("/keys", {"keyId": f"{sim.tenancy}/ocid1.user.oc1..second/aa:bb", "publicKey": public})
    check(send("GET", query, signer=mine).status_code == 200, "a key that was added is taken")
    # A known key must not sign with another key's private half.
    other = oci.signer.Signer(sim.tenancy, sim.user, sim.settings["fingerprint"], None, private_key_content=private)
    code(401, "NotAuthenticated", "GET", query, signer=other)

    # Session tokens, and their end.
    token = sim.ask("/session-tokens", {"publicKey": public})["token"]
    session = oci.auth.signers.SecurityTokenSigner(token, key)
    client = oci.core.VirtualNetworkClient({"region": sim.region}, signer=session, service_endpoint=sim.services["core"])
    check(client.list_vcns(sim.compartment).status == 200, "a session token is taken")
    over = oci.auth.signers.SecurityTokenSigner(sim.ask("/session-tokens", {"publicKey": public, "seconds": -1})["token"], key)
    check("expired" in code(401, "NotAuthenticated", "GET", query, signer=over), "a token that is over is not")

    # Instance principals: metadata, certificate, federation, token.
    os.environ["OCI_METADATA_BASE_URL"] = sim.metadata
    principal = oci.auth.signers.InstancePrincipalsSecurityTokenSigner(federation_endpoint=sim.services["auth"] + "/v1/x509")
    check(principal.region == sim.region and principal.tenancy_id == sim.tenancy, "what the metadata says")
    client = oci.core.VirtualNetworkClient({}, signer=principal, service_endpoint=sim.services["core"])
    check(client.list_vcns(sim.compartment).status == 200, "an instance principal is taken")
    bare = requests.get(f"{sim.metadata}/instance/region", timeout=10)
    check(bare.status_code == 403, "the metadata service wants its header")
    for found in client.list_vcns(sim.compartment).data:
        client.delete_vcn(found.id)


def compute(sim):
    nets, client = sim.client(oci.core.VirtualNetworkClient), sim.client(oci.core.ComputeClient)
    identity = sim.client(oci.identity.IdentityClient)
    home = sim.compartment
    domains = [found.name for found in identity.list_availability_domains(home).data]
    check(len(domains) == 3 and len(identity.list_fault_domains(home, domains[0]).data) == 3, domains)
    check([found.name for found in identity.list_compartments(sim.tenancy).data] == ["pipelines", "archive"], "compartments")
    check(identity.list_region_subscriptions(sim.tenancy).data[0].region_name == sim.region, "region")
    check(identity.get_compartment(home).data.name == "pipelines", "compartment")
    check(identity.get_user(sim.user).data.id == sim.user and identity.get_tenancy(sim.tenancy).data.home_region_key == "FRA", "")

    shapes = {found.shape: found for found in client.list_shapes(home).data}
    check(shapes["VM.Standard.E4.Flex"].is_flexible and shapes["VM.GPU3.1"].gpus == 1, shapes)
    image = client.list_images(home, operating_system="Oracle Linux", operating_system_version="9", shape="VM.Standard.E4.Flex").data
    check(len(image) == 1 and client.get_image(image[0].id).data.display_name == image[0].display_name, image)
    arm = client.list_images(home, shape="VM.Standard.A1.Flex").data
    check(arm and all("aarch64" in found.display_name for found in arm), arm)

    wait = {"max_interval_seconds": 1}
    composite = oci.core.VirtualNetworkClientCompositeOperations(nets)
    vcn = composite.create_vcn_and_wait_for_state(
        core.CreateVcnDetails(compartment_id=home, cidr_blocks=["10.0.0.0/16"]), ["AVAILABLE"], waiter_kwargs=wait).data
    net = composite.create_subnet_and_wait_for_state(
        core.CreateSubnetDetails(compartment_id=home, vcn_id=vcn.id, cidr_block="10.0.0.0/28"), ["AVAILABLE"],
        waiter_kwargs=wait).data
    group = composite.create_network_security_group_and_wait_for_state(
        core.CreateNetworkSecurityGroupDetails(compartment_id=home, vcn_id=vcn.id), ["AVAILABLE"], waiter_kwargs=wait).data

    def details(**more):
        return core.LaunchInstanceDetails(**{
            "compartment_id": home, "availability_domain": domains[0], "shape": "VM.Standard.E4.Flex", "display_name": "i",
            "shape_config": core.LaunchInstanceShapeConfigDetails(ocpus=2),
            "source_details": core.InstanceSourceViaImageDetails(image_id=image[0].id, boot_volume_size_in_gbs=50),
            "create_vnic_details": core.CreateVnicDetails(subnet_id=net.id, nsg_ids=[group.id]),
            "metadata": {"ssh_authorized_keys": "ssh-ed25519 AAAA"}} | more)

    refused(400, "InvalidParameter", client.launch_instance, details(availability_domain="AD-9"))
    refused(400, "InvalidParameter", client.launch_instance, details(shape="VM.None"))
    refused(400, "InvalidParameter", client.launch_instance, details(shape_config=None))
    refused(400, "InvalidParameter", client.launch_instance, details(shape="VM.Standard.A1.Flex"))
    refused(400, "MissingParameter", client.launch_instance, details(source_details=None))
    refused(404, "NotAuthorizedOrNotFound", client.launch_instance,
            details(source_details=core.InstanceSourceViaImageDetails(image_id="ocid1.image.none")))
    calls = oci.core.ComputeClientCompositeOperations(client)
    sim.turn(instance_ms=1_000)
    launched = client.launch_instance(details(), opc_retry_token="once").data
    check(launched.lifecycle_state == "PROVISIONING" and launched.shape_config.memory_in_gbs == 32.0, launched)
    check(client.launch_instance(details(), opc_retry_token="once").data.id == launched.id, "launched once")
    refused(409, "IncorrectState", client.instance_action, launched.id, "STOP")
    sim.turn(instance_ms=100)
    made = oci.wait_until(client, client.get_instance(launched.id), "lifecycle_state", "RUNNING", max_interval_seconds=1).data
    check(type(made.source_details).__name__ == "InstanceSourceViaImageDetails", made)
    check(made.fault_domain == "FAULT-DOMAIN-1" and made.launch_options.network_type == "PARAVIRTUALIZED", made)
    attached = client.list_vnic_attachments(home, instance_id=made.id).data
    vnic = nets.get_vnic(attached[0].vnic_id).data
    check(vnic.private_ip == "10.0.0.2" and vnic.public_ip and vnic.nsg_ids == [group.id] and vnic.is_primary, vnic)
    check([found.resource_id for found in nets.list_network_security_group_vnics(group.id).data] == [made.id], "held by it")
    check(nets.update_vnic(vnic.id, core.UpdateVnicDetails(nsg_ids=[])).data.nsg_ids == [], "let go of")
    nets.delete_network_security_group(composite.create_network_security_group_and_wait_for_state(
        core.CreateNetworkSecurityGroupDetails(compartment_id=home, vcn_id=vcn.id), ["AVAILABLE"], waiter_kwargs=wait).data.id)
    nets.update_vnic(vnic.id, core.UpdateVnicDetails(nsg_ids=[group.id]))
    volumes = client.list_boot_volume_attachments(domains[0], home, instance_id=made.id).data
    check(volumes[0].lifecycle_state == "ATTACHED" and volumes[0].boot_volume_id, volumes)
    error = refused(409, "Conflict", nets.delete_subnet, net.id)
    check(vnic.id in error.message, error)
    refused(409, "Conflict", nets.delete_network_security_group, group.id)
    stopped = calls.instance_action_and_wait_for_state(made.id, "STOP", ["STOPPED"], waiter_kwargs=wait).data
    check(stopped.lifecycle_state == "STOPPED", stopped)
    refused(409, "IncorrectState", client.instance_action, made.id, "RESET")
    calls.instance_action_and_wait_for_state(made.id, "START", ["RUNNING"], waiter_kwargs=wait)
    bigger = core.UpdateInstanceDetails(
        display_name="j", shape_config=core.UpdateInstanceShapeConfigDetails(ocpus=4, memory_in_gbs=64))
    resized = calls.update_instance_and_wait_for_state(made.id, bigger, ["RUNNING"], waiter_kwargs=wait).data
    check(resized.shape_config.ocpus == 4 and resized.display_name == "j", resized)
    sim.turn(instance_ms=1_000)
    client.terminate_instance(made.id)
    refused(409, "Conflict", client.terminate_instance, made.id)
    sim.turn(instance_ms=100)
    oci.wait_until(client, client.get_instance(made.id), "lifecycle_state", "TERMINATED", max_interval_seconds=1)
    check([found.lifecycle_state for found in client.list_instances(home).data] == ["TERMINATED"], "it is still listed")
    check(client.list_instances(home, lifecycle_state="RUNNING").data == [], "none is running")
    refused(404, "NotAuthorizedOrNotFound", client.update_instance, made.id, bigger)
    refused(409, "InvalidatedRetryToken", client.launch_instance, details(), opc_retry_token="once")
    time.sleep(0.3)
    nets.delete_subnet(net.id)
    nets.delete_network_security_group(group.id)
    return vcn


def kubernetes(sim, vcn):
    nets, client = sim.client(oci.core.VirtualNetworkClient), sim.client(oci.container_engine.ContainerEngineClient)
    calls = oci.container_engine.ContainerEngineClientCompositeOperations(client)
    home, wait = sim.compartment, {"max_interval_seconds": 1}
    composite = oci.core.VirtualNetworkClientCompositeOperations(nets)
    net = composite.create_subnet_and_wait_for_state(
        core.CreateSubnetDetails(compartment_id=home, vcn_id=vcn.id, cidr_block="10.0.1.0/24"), ["AVAILABLE"],
        waiter_kwargs=wait).data
    versions = client.get_cluster_options("all").data.kubernetes_versions

    def details(**more):
        return oke.CreateClusterDetails(**{
            "name": "c", "compartment_id": home, "vcn_id": vcn.id, "kubernetes_version": versions[-2],
            "endpoint_config": oke.CreateClusterEndpointConfigDetails(subnet_id=net.id, is_public_ip_enabled=True),
            "cluster_pod_network_options": [oke.OciVcnIpNativeClusterPodNetworkOptionDetails()],
            "freeform_tags": {"by": "sdk"}} | more)

    refused(400, "InvalidParameter", client.create_cluster, details(kubernetes_version="v1.2.3"))
    refused(404, "NotAuthorizedOrNotFound", client.create_cluster, details(vcn_id="ocid1.vcn.none"))
    sim.turn(cluster_ms=1_000, node_pool_ms=1_000)
    accepted = client.create_cluster(details(), opc_retry_token="cluster")
    request = accepted.headers["opc-work-request-id"]
    check(accepted.status == 202, accepted.status)
    check(client.create_cluster(details(), opc_retry_token="cluster").headers["opc-work-request-id"] == request, "once")
    work = client.get_work_request(request).data
    check(work.operation_type == "CLUSTER_CREATE" and work.status == "ACCEPTED", work)
    check(work.resources[0].action_type == "IN_PROGRESS" and work.resources[0].entity_type == "cluster", work)
    cluster = client.get_cluster(work.resources[0].identifier).data
    check(cluster.lifecycle_state == "CREATING", cluster)
    refused(409, "IncorrectState", client.update_cluster, cluster.id, oke.UpdateClusterDetails(name="d"))
    refused(409, "IncorrectState", client.create_kubeconfig, cluster.id)
    work = oci.wait_until(client, client.get_work_request(request), "status", "SUCCEEDED", max_interval_seconds=1).data
    check(work.resources[0].action_type == "CREATED" and work.time_finished >= work.time_accepted, work)
    check(client.list_work_request_logs(home, request).data[0].message and client.list_work_request_errors(home, request).data == [], "")
    cluster = client.get_cluster(cluster.id).data
    check(cluster.lifecycle_state == "ACTIVE" and cluster.endpoints.public_endpoint, cluster)
    check(cluster.metadata.created_by_work_request_id == request and cluster.type == "BASIC_CLUSTER", cluster)
    check(cluster.options.kubernetes_network_config.pods_cidr == "10.244.0.0/16", cluster)
    check(cluster.available_kubernetes_upgrades == [versions[-1]], cluster)
    check([found.id for found in client.list_clusters(home, lifecycle_state=["ACTIVE", "FAILED"], name="c").data] == [cluster.id], "")
    check(client.list_clusters(home, lifecycle_state=["DELETED"]).data == [], "")

    document = yaml.safe_load(client.create_kubeconfig(cluster.id).data.text)
    address = document["clusters"][0]["cluster"]["server"]
    authority = base64.b64decode(document["clusters"][0]["cluster"]["certificate-authority-data"])
    check(address == f"https://{cluster.endpoints.public_endpoint}" and authority.startswith(b"-----BEGIN CERT"), document)
    command = document["users"][0]["user"]["exec"]
    check(command["command"] == "oci" and cluster.id in command["args"], command)
    check(document["current-context"] == document["contexts"][0]["name"], document)
    private = oke.CreateClusterKubeconfigContentDetails(token_version="2.0.0", endpoint="PRIVATE_ENDPOINT")
    check(cluster.endpoints.private_endpoint in client.create_kubeconfig(
        cluster.id, create_cluster_kubeconfig_content_details=private).data.text, "the private address")
    refused(400, "InvalidParameter", client.create_kubeconfig, cluster.id,
            create_cluster_kubeconfig_content_details=oke.CreateClusterKubeconfigContentDetails(token_version="1.0.0"))

    # Node pools.
    options = client.get_node_pool_options(cluster.id).data
    image = next(found for found in options.sources if "OKE-1.33.1" in found.source_name and "aarch64" not in found.source_name)
    domains = [found.name for found in sim.client(oci.identity.IdentityClient).list_availability_domains(home).data]

    def pool(**more):
        return oke.CreateNodePoolDetails(**{
            "name": "p", "compartment_id": home, "cluster_id": cluster.id, "node_shape": "VM.Standard.E4.Flex",
            "node_shape_config": oke.CreateNodeShapeConfigDetails(ocpus=16, memory_in_gbs=128),
            "node_source_details": oke.NodeSourceViaImageDetails(image_id=image.image_id),
            "initial_node_labels": [oke.KeyValue(key="role", value="cpu")],
            "node_config_details": oke.CreateNodePoolNodeConfigDetails(size=3, placement_configs=[
                oke.NodePoolPlacementConfigDetails(availability_domain=name, subnet_id=net.id) for name in domains[:2]])} | more)

    refused(400, "InvalidParameter", client.create_node_pool, pool(node_shape="VM.None"))
    refused(400, "InvalidParameter", client.create_node_pool, pool(kubernetes_version=versions[-1]))
    refused(400, "InvalidParameter", client.create_node_pool, pool(node_source_details=oke.NodeSourceViaImageDetails(image_id="none")))
    done = calls.create_node_pool_and_wait_for_state(pool(), ["SUCCEEDED"], waiter_kwargs=wait)
    check(done.data.status == "SUCCEEDED" and done.data.operation_type == "NODEPOOL_CREATE", done.data)
    made = client.get_node_pool(done.data.resources[0].identifier).data
    check(made.lifecycle_state == "ACTIVE" and made.kubernetes_version == versions[-2], made)
    check([node.lifecycle_state for node in made.nodes] == ["ACTIVE"] * 3, made.nodes)
    check([node.availability_domain for node in made.nodes] == [domains[0], domains[1], domains[0]], made.nodes)
    check(len({node.private_ip for node in made.nodes}) == 3 and made.subnet_ids == [net.id], made)
    refused(409, "Conflict", nets.delete_subnet, net.id)
    size = oke.UpdateNodePoolDetails(node_config_details=oke.UpdateNodePoolNodeConfigDetails(size=1))
    refused(412, "NoEtagMatch", client.update_node_pool, made.id, size, if_match="stale")
    accepted = client.update_node_pool(made.id, size)
    check([node.lifecycle_state for node in client.get_node_pool(made.id).data.nodes] == ["ACTIVE", "DELETING", "DELETING"], "")
    refused(409, "IncorrectState", client.delete_node_pool, made.id)
    oci.wait_until(client, client.get_work_request(accepted.headers["opc-work-request-id"]), "status", "SUCCEEDED", max_interval_seconds=1)
    smaller = client.get_node_pool(made.id).data
    check(len(smaller.nodes) == 1 and len(smaller.node_config_details.placement_configs) == 2, smaller)
    check([found.id for found in client.list_node_pools(home, cluster_id=cluster.id).data] == [made.id], "listed")

    # Work requests that fail.
    sim.turn(work_request_failures=[
        {"operation_type": "NODEPOOL_CREATE", "code": "LimitExceeded", "message": "Out of host capacity."},
        {"operation_type": "CLUSTER_UPDATE", "code": "InternalError", "message": "upgrade failed"}])
    accepted = client.create_node_pool(pool(name="q"))
    failed = oci.wait_until(client, client.get_work_request(accepted.headers["opc-work-request-id"]), "status", "FAILED", max_interval_seconds=1).data
    errors = client.list_work_request_errors(home, failed.id).data
    check((errors[0].code, errors[0].message) == ("LimitExceeded", "Out of host capacity."), errors)
    broken = client.get_node_pool(failed.resources[0].identifier).data
    check(broken.lifecycle_state == "FAILED" and broken.nodes[0].node_error.message == "Out of host capacity.", broken)
    newer = oke.UpdateClusterDetails(kubernetes_version=versions[-1])
    accepted = client.update_cluster(cluster.id, newer)
    check(client.get_cluster(cluster.id).data.lifecycle_state == "UPDATING", "updating")
    oci.wait_until(client, client.get_work_request(accepted.headers["opc-work-request-id"]), "status", "FAILED", max_interval_seconds=1)
    check(client.get_cluster(cluster.id).data.kubernetes_version == versions[-2], "a failed update changes nothing")
    updated = calls.update_cluster_and_wait_for_state(cluster.id, newer, ["SUCCEEDED"], waiter_kwargs=wait).data
    check(client.get_cluster(cluster.id).data.kubernetes_version == versions[-1], updated)
    refused(400, "InvalidParameter", client.update_cluster, cluster.id, oke.UpdateClusterDetails(kubernetes_version=versions[0]))
    found = client.list_work_requests(home, cluster_id=cluster.id, status=["FAILED"]).data
    check({work.operation_type for work in found} == {"NODEPOOL_CREATE", "CLUSTER_UPDATE"}, found)
    check(calls.delete_node_pool_and_wait_for_state(made.id, ["SUCCEEDED"], waiter_kwargs=wait).data.status == "SUCCEEDED", "")
    check(client.get_node_pool(made.id).data.lifecycle_state == "DELETED", "a deleted pool is still seen")

    # The cluster takes the pool that failed with it.
    refused(409, "Conflict", nets.delete_subnet, net.id)
    check(calls.delete_cluster_and_wait_for_state(cluster.id, ["SUCCEEDED"], waiter_kwargs=wait).data.status == "SUCCEEDED", "")
    check(client.get_cluster(cluster.id).data.lifecycle_state == "DELETED", "a deleted cluster is still seen")
    check(client.get_node_pool(broken.id).data.lifecycle_state == "DELETED", "its pool went with it")
    refused(404, "NotAuthorizedOrNotFound", client.delete_cluster, cluster.id)
    nets.delete_subnet(net.id)
    time.sleep(0.2)
    nets.delete_vcn(vcn.id)
    time.sleep(0.2)
    check(sim.ask("/objects") == [], sim.ask("/objects"))


def objects(sim, folder):
    client = sim.client(oci.object_storage.ObjectStorageClient)
    space = client.get_namespace().data
    check(space == sim.namespace, space)
    details = storage.CreateBucketDetails(name="b", compartment_id=sim.compartment, freeform_tags={"by": "sdk"})
    bucket = client.create_bucket(space, details).data
    check(bucket.public_access_type == "NoPublicAccess" and bucket.versioning == "Disabled" and bucket.id, bucket)
    refused(409, "BucketAlreadyExists", client.create_bucket, space, details)
    refused(404, "BucketNotFound", client.get_bucket, space, "none")
    refused(404, "NamespaceNotFound", client.get_bucket, "other", "b")
    refused(412, "IfMatchFailed", client.update_bucket, space, "b", storage.UpdateBucketDetails(metadata={"a": "b"}), if_match="x")
    check(client.update_bucket(space, "b", storage.UpdateBucketDetails(metadata={"a": "b"})).data.metadata == {"a": "b"}, "")
    check([found.name for found in client.list_buckets(space, sim.compartment).data] == ["b"], "listed")

    # One object.
    said = b"hello world"
    md5 = base64.b64encode(hashlib.md5(said).digest()).decode()
    put = client.put_object(space, "b", "dir/file x+y", said, content_type="text/plain", opc_meta={"who": "sdk"}, content_md5=md5)
    check(put.headers["opc-content-md5"] == md5 and put.headers["etag"], put.headers)
    got = client.get_object(space, "b", "dir/file x+y")
    check(got.data.content == said and got.headers["content-type"] == "text/plain" and got.headers["opc-meta-who"] == "sdk", got.headers)
    part = client.get_object(space, "b", "dir/file x+y", range="bytes=6-8")
    check(part.status == 206 and part.data.content == b"wor" and part.headers["content-range"] == "bytes 6-8/11", part.headers)
    check(client.get_object(space, "b", "dir/file x+y", range="bytes=-3").data.content == b"rld", "the end")
    refused(416, "InvalidRange", client.get_object, space, "b", "dir/file x+y", range="bytes=99-")
    head = client.head_object(space, "b", "dir/file x+y")
    check(head.headers["content-length"] == "11" and head.headers["etag"] == put.headers["etag"], head.headers)
    refused(404, "ObjectNotFound", client.get_object, space, "b", "none")
    refused(400, "UnmatchedContentMD5", client.put_object, space, "b", "bad", b"x", content_md5=md5)
    refused(412, "IfNoneMatchFailed", client.put_object, space, "b", "dir/file x+y", b"", if_none_match="*")
    refused(412, "IfMatchFailed", client.put_object, space, "b", "dir/file x+y", b"", if_match="stale")
    refused(412, "IfMatchFailed", client.put_object, space, "b", "new", b"", if_match=put.headers["etag"])
    again = client.put_object(space, "b", "dir/file x+y", b"", if_match=put.headers["etag"])
    check(again.headers["etag"] != put.headers["etag"], "another revision")
    refused(412, "IfMatchFailed", client.delete_object, space, "b", "dir/file x+y", if_match=put.headers["etag"])

    # Lists.
    for name in ("a", "dir/a", "dir/b/c", "z"):
        client.put_object(space, "b", name, name.encode())
    listed = client.list_objects(space, "b", fields="name,size,etag,md5,timeCreated").data
    check([found.name for found in listed.objects] == ["a", "dir/a", "dir/b/c", "dir/file x+y", "z"], listed)
    check(listed.objects[1].size == 5 and listed.objects[1].etag and client.list_objects(space, "b").data.objects[1].size is None, "")
    folded = client.list_objects(space, "b", prefix="dir/", delimiter="/").data
    check(folded.prefixes == ["dir/b/"] and [found.name for found in folded.objects] == ["dir/a", "dir/file x+y"], folded)
    page = client.list_objects(space, "b", limit=2).data
    check(page.next_start_with == "dir/b/c", page)
    check([found.name for found in client.list_objects(space, "b", start=page.next_start_with, end="z").data.objects] ==
          ["dir/b/c", "dir/file x+y"], "between")
    everything = oci.pagination.list_call_get_all_results(client.list_objects, space, "b", limit=2)
    check(len(everything.data.objects) == 5, everything.data)
    refused(409, "BucketNotEmpty", client.delete_bucket, space, "b")
    client.rename_object(space, "b", storage.RenameObjectDetails(source_name="z", new_name="y"))
    check(client.get_object(space, "b", "y").data.content == b"z", "renamed")

    # In parts: by hand, and as the SDK does it.
    upload = client.create_multipart_upload(space, "b", storage.CreateMultipartUploadDetails(object="big", metadata={"k": "v"})).data
    etags = [client.upload_part(space, "b", "big", upload.upload_id, number, bytes([number]) * 1000).headers["etag"] for number in (1, 2, 3)]
    check([found.part_number for found in client.list_multipart_upload_parts(space, "b", "big", upload.upload_id).data] == [1, 2, 3], "")
    check(len(client.list_multipart_uploads(space, "b").data) == 1, "one upload")
    commit = lambda numbers, exclude=None: client.commit_multipart_upload(
        space, "b", "big", upload.upload_id, storage.CommitMultipartUploadDetails(parts_to_exclude=exclude, parts_to_commit=[
            storage.CommitMultipartUploadPartDetails(part_num=number, etag=etags[number - 1]) for number in numbers]))
    refused(400, "InvalidUploadPart", commit, [1, 2])
    refused(400, "InvalidUploadPartOrder", commit, [2, 1], [3])
    check(commit([1, 3], [2]).headers["opc-multipart-md5"].endswith("-2"), "committed")
    check(client.get_object(space, "b", "big").data.content == bytes([1]) * 1000 + bytes([3]) * 1000, "its bytes")
    check(client.head_object(space, "b", "big").headers["opc-meta-k"] == "v", "its metadata")
    refused(404, "NoSuchUpload", commit, [1])
    upload = client.create_multipart_upload(space, "b", storage.CreateMultipartUploadDetails(object="none")).data
    client.abort_multipart_upload(space, "b", "none", upload.upload_id)
    check(client.list_multipart_uploads(space, "b").data == [], "aborted")
    large = os.urandom(25 << 20)
    file = pathlib.Path(folder, "large")
    file.write_bytes(large)
    manager = oci.object_storage.UploadManager(client, allow_parallel_uploads=True)
    sent = manager.upload_file(space, "b", "large", str(file), part_size=8 << 20)
    check(sent.headers["opc-multipart-md5"].endswith("-4"), sent.headers)
    check(hashlib.sha256(client.get_object(space, "b", "large").data.content).digest() == hashlib.sha256(large).digest(), "all of it")

    # Versions.
    client.create_bucket(space, storage.CreateBucketDetails(name="v", compartment_id=sim.compartment, versioning="Enabled"))
    first = client.put_object(space, "v", "o", b"1").headers["version-id"]
    client.put_object(space, "v", "o", b"2")
    check(client.get_object(space, "v", "o").data.content == b"2", "the newest")
    check(client.get_object(space, "v", "o", version_id=first).data.content == b"1", "the first")
    client.delete_object(space, "v", "o")
    refused(404, "ObjectNotFound", client.get_object, space, "v", "o")
    versions = client.list_object_versions(space, "v").data.items
    check([found.is_delete_marker for found in versions] == [True, False, False], versions)
    refused(409, "BucketNotEmpty", client.delete_bucket, space, "v")
    for found in versions:
        client.delete_object(space, "v", "o", version_id=found.version_id)
    client.delete_bucket(space, "v")
    for found in client.list_objects(space, "b").data.objects:
        client.delete_object(space, "b", found.name)
    client.delete_bucket(space, "b")
    check(client.list_buckets(space, sim.compartment).data == [], "nothing is left")


def trouble(sim):
    """Throttling, errors, broken connections, replicas that lag: as the SDK meets them."""
    client = sim.client(oci.core.VirtualNetworkClient)
    patient = sim.client(oci.core.VirtualNetworkClient, retry_strategy=oci.retry.DEFAULT_RETRY_STRATEGY)
    details = core.CreateVcnDetails(compartment_id=sim.compartment, cidr_block="10.0.0.0/16")
    sim.turn(faults=[{"operation": "list_vcns", "effect": "throttle"}])
    error = refused(429, "TooManyRequests", client.list_vcns, sim.compartment)
    check(error.headers["retry-after"] == "1", error.headers)
    sim.turn(faults=[{"operation": "list_*", "times": 2, "effect": {"refuse": {"status": 500, "code": "InternalError", "message": "x"}}}])
    check(patient.list_vcns(sim.compartment).data == [], "the SDK tries again")
    sim.turn(faults=[{"operation": "create_vcn", "effect": "drop_after"}])
    try:
        client.create_vcn(details, opc_retry_token="lost")
        raise AssertionError("the connection was to be closed")
    except oci.exceptions.RequestException:
        check(len(client.list_vcns(sim.compartment).data) == 1, "it was made, though nobody was told")
    made = client.create_vcn(details, opc_retry_token="lost").data
    check([found.id for found in client.list_vcns(sim.compartment).data] == [made.id], "once, though its first answer was lost")
    sim.turn(faults=[{"operation": "create_vcn", "effect": "drop_before"}])
    try:
        client.create_vcn(details)
        raise AssertionError("the connection was to be closed")
    except oci.exceptions.RequestException:
        check(len(client.list_vcns(sim.compartment).data) == 1, "nothing was made")
    client.delete_vcn(made.id)
    sim.turn(visible_after_ms=60_000, network_terminated_ms=0)
    lagging = client.create_vcn(details).data
    seen = set()
    for _ in range(6):
        try:
            seen.add(client.get_vcn(lagging.id).status)
        except oci.exceptions.ServiceError as error:
            seen.add(error.status)
    check(seen == {200, 404}, f"some replicas do not know it yet: {seen}")
    sim.turn(visible_after_ms=0, chance={"throttle": 1.0, "operations": ["get_vcn"]})
    refused(429, "TooManyRequests", client.get_vcn, lagging.id)
    sim.turn(chance={"throttle": 0.0}, latency_ms=300)
    start = time.monotonic()
    client.get_vcn(lagging.id)
    check(time.monotonic() - start >= 0.3, "latency")
    sim.turn(latency_ms=0, clock_offset_seconds=600)
    error = refused(401, "NotAuthenticated", client.get_vcn, lagging.id)
    check("skew" in error.message, error)
    sim.turn(clock_offset_seconds=0, requests_per_second=1)
    refusals = 0
    for _ in range(4):
        try:
            client.get_vcn(lagging.id)
        except oci.exceptions.ServiceError as error:
            refusals += error.status == 429
    check(refusals >= 2, "more than one a second is throttled")
    sim.turn(requests_per_second=None)
    client.delete_vcn(lagging.id)
    counts = sim.ask("/requests")
    check(counts["operations"]["create_vcn"] >= 4 and counts["total"] > 300, counts)
    return counts["total"]


def command_line(sim, folder):
    home = ("--compartment-id", sim.compartment)
    wait = lambda state: ("--wait-for-state", state, "--wait-interval-seconds", "1")
    sim.turn(network_ms=500)
    vcn = sim.cli("network", "vcn", "create", *home, "--cidr-block", "10.0.0.0/16", "--display-name", "cli", *wait("AVAILABLE"))["data"]
    assert vcn["lifecycle-state"] == "AVAILABLE" and vcn["default-route-table-id"], vcn
    sim.turn(page_size=1)
    second = sim.cli("network", "vcn", "create", *home, "--cidr-block", "10.1.0.0/16")["data"]
    listed = sim.cli("network", "vcn", "list", *home, "--all")["data"]
    assert {found["id"] for found in listed} == {vcn["id"], second["id"]}, listed
    sim.turn(page_size=100)
    net = sim.cli("network", "subnet", "create", *home, "--vcn-id", vcn["id"], "--cidr-block", "10.0.0.0/24", *wait("AVAILABLE"))["data"]
    sim.cli("network", "vcn", "delete", "--vcn-id", vcn["id"], "--force", fails="IncorrectState")
    sim.cli("network", "vcn", "get", "--vcn-id", "ocid1.vcn.oc1..none", fails="NotAuthorizedOrNotFound")
    changed = sim.cli("network", "vcn", "update", "--vcn-id", vcn["id"], "--display-name", "changed")["data"]
    assert changed["display-name"] == "changed", changed
    domains = sim.cli("iam", "availability-domain", "list", *home)["data"]
    assert len(domains) == 3, domains
    cluster = sim.cli("ce", "cluster", "create", *home, "--name", "cli", "--vcn-id", vcn["id"], "--kubernetes-version", "v1.33.1",
                      "--endpoint-subnet-id", net["id"], *wait("SUCCEEDED"))["data"]
    assert cluster["status"] == "SUCCEEDED", cluster
    cluster = cluster["resources"][0]["identifier"]
    file = pathlib.Path(folder, "kubeconfig")
    sim.cli("ce", "cluster", "create-kubeconfig", "--cluster-id", cluster, "--file", str(file), "--kube-endpoint", "PRIVATE_ENDPOINT")
    document = yaml.safe_load(file.read_text())
    assert cluster in document["users"][0]["user"]["exec"]["args"], document
    images = sim.cli("ce", "node-pool-options", "get", "--node-pool-option-id", "all")["data"]["sources"]
    image = next(found["image-id"] for found in images if "OKE-1.33.1" in found["source-name"])
    pool = sim.cli("ce", "node-pool", "create", *home, "--cluster-id", cluster, "--name", "cli", "--node-shape", "VM.Standard2.1",
                   "--node-source-details", json.dumps({"sourceType": "IMAGE", "imageId": image}), "--size", "2",
                   "--placement-configs", json.dumps([{"availabilityDomain": domains[0]["name"], "subnetId": net["id"]}]),
                   *wait("SUCCEEDED"))["data"]
    pool = sim.cli("ce", "node-pool", "get", "--node-pool-id", pool["resources"][0]["identifier"])["data"]
    assert [node["lifecycle-state"] for node in pool["nodes"]] == ["ACTIVE", "ACTIVE"], pool
    sim.cli("ce", "cluster", "delete", "--cluster-id", cluster, "--force", *wait("SUCCEEDED"))
    assert sim.cli("os", "ns", "get")["data"] == sim.namespace
    sim.cli("os", "bucket", "create", *home, "--name", "cli", "--namespace", sim.namespace)
    there = ("--bucket-name", "cli", "--namespace", sim.namespace)
    source, target = pathlib.Path(folder, "source"), pathlib.Path(folder, "target")
    source.write_bytes(os.urandom(25 << 20))
    sim.cli("os", "object", "put", *there, "--file", str(source), "--name", "dir/o", "--part-size", "10")
    sim.cli("os", "object", "get", *there, "--name", "dir/o", "--file", str(target))
    assert target.read_bytes() == source.read_bytes()
    listed = sim.cli("os", "object", "list", *there, "--prefix", "dir/")["data"]
    assert [(found["name"], found["size"]) for found in listed] == [("dir/o", 25 << 20)], listed
    sim.cli("os", "bucket", "delete", *there, "--force", fails="BucketNotEmpty")
    sim.cli("os", "object", "delete", *there, "--object-name", "dir/o", "--force")
    sim.cli("os", "bucket", "delete", *there, "--force")
    sim.cli("network", "subnet", "delete", "--subnet-id", net["id"], "--force", *wait("TERMINATED"))
    for found in (vcn, second):
        sim.cli("network", "vcn", "delete", "--vcn-id", found["id"], "--force")
    # What belongs to a network is gone a moment after it.
    end = time.monotonic() + 10
    while sim.ask("/objects") and time.monotonic() < end:
        time.sleep(0.1)
    assert sim.ask("/objects") == [], sim.ask("/objects")


def main():
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        sim = Simulator(folder)
        try:
            network(sim)
            signatures(sim, *contract(sim))
            vcn = compute(sim)
            kubernetes(sim, vcn)
            objects(sim, folder)
            requested = trouble(sim)
            sdk = time.monotonic() - started
            command_line(sim, folder)
        finally:
            sim.process.communicate(timeout=10)
    total = time.monotonic() - started
    print(f"SDK: {CHECKS['sdk']} checks with {requested} requests in {sdk:.0f} s; "
          f"CLI: {CHECKS['cli']} commands in {total - sdk:.0f} s")


if __name__ == "__main__":
    main()
