#!/usr/bin/env python3
"""Writes the contract by which the simulated OCI judges requests: what the official SDK's clients send and its models hold.

    python tests/peers/oci_contract_golden.py            # rewrite src/sim-oci/contract.json
    python tests/peers/oci_contract_golden.py --check    # compare with what is there, write nothing

Needs the package oci. Of an operation: method, path, query, headers, body, response, and whether the body is outside of the
signature. Of a model: its members with types, which of them are required, allowed values, and the subtypes of a discriminator.
"""

import ast
import inspect
import json
import pathlib
import re
import sys
import textwrap

import oci
from oci.container_engine import ContainerEngineClient
from oci.core import ComputeClient, VirtualNetworkClient
from oci.identity import IdentityClient
from oci.object_storage import ObjectStorageClient

DATA = pathlib.Path(__file__).resolve().parents[2] / "src" / "sim-oci" / "contract.json"

NETWORK_KINDS = "vcn subnet internet_gateway nat_gateway service_gateway route_table security_list network_security_group"
OPERATIONS = {
    VirtualNetworkClient: [
        f"{verb}_{kind}{'s' if verb == 'list' else ''}"
        for kind in NETWORK_KINDS.split()
        for verb in ("create", "get", "update", "delete", "list")
    ]
    + [f"change_{kind}_compartment" for kind in NETWORK_KINDS.split()]
    + """add_vcn_cidr modify_vcn_cidr remove_vcn_cidr get_dhcp_options list_dhcp_options
    attach_service_id detach_service_id get_service list_services get_vnic update_vnic
    add_network_security_group_security_rules list_network_security_group_security_rules
    update_network_security_group_security_rules remove_network_security_group_security_rules
    list_network_security_group_vnics""".split(),
    ComputeClient: """launch_instance get_instance update_instance terminate_instance list_instances instance_action
    change_instance_compartment list_shapes list_images get_image list_vnic_attachments get_vnic_attachment
    list_boot_volume_attachments""".split(),
    ContainerEngineClient: """create_cluster get_cluster update_cluster delete_cluster list_clusters create_kubeconfig
    get_cluster_options create_node_pool get_node_pool update_node_pool delete_node_pool list_node_pools
    get_node_pool_options delete_node get_work_request list_work_requests list_work_request_errors
    list_work_request_logs delete_work_request""".split(),
    ObjectStorageClient: """get_namespace create_bucket get_bucket head_bucket update_bucket delete_bucket list_buckets
    put_object get_object head_object delete_object list_objects rename_object list_object_versions create_multipart_upload
    upload_part commit_multipart_upload abort_multipart_upload list_multipart_uploads
    list_multipart_upload_parts""".split(),
    IdentityClient: """list_availability_domains list_fault_domains list_compartments get_compartment
    list_region_subscriptions list_regions get_tenancy get_user""".split(),
}
SERVICES = {
    VirtualNetworkClient: "core",
    ComputeClient: "core",
    ContainerEngineClient: "containerengine",
    ObjectStorageClient: "objectstorage",
    IdentityClient: "identity",
}
MODELS = {
    "core": oci.core.models,
    "containerengine": oci.container_engine.models,
    "objectstorage": oci.object_storage.models,
    "identity": oci.identity.models,
}
PLAIN = {"str", "int", "float", "bool", "datetime", "date", "object", "stream"}


def tree(function):
    return ast.parse(textwrap.dedent(inspect.getsource(function)))


def assigned(body, name):
    """The values that are assigned to a name, in order."""
    return [
        node.value
        for node in ast.walk(body)
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets)
    ]


def argument(value):
    """The Python argument that a value is taken from, and whether the client cannot be called without it."""
    if isinstance(value, ast.Name):
        return value.id, True
    gets = [node for node in ast.walk(value) if isinstance(node, ast.Call) and ast.unparse(node.func) == "kwargs.get"]
    if len(gets) == 1:
        return gets[0].args[0].value, False
    names = [node.id for node in ast.walk(value) if isinstance(node, ast.Name) and node.id not in ("self", "missing")]
    return names[0], True


def documented(function):
    """The type and the allowed values of each argument, as the docstring has them."""
    found = {}
    for part in re.split(r"\n\s*:param ", function.__doc__)[1:]:
        kind, name = re.match(r"(.+?) (\w+):", part).groups()
        part = re.split(r"\n\s*:(?:return|rtype|example):?", part)[0]
        allowed = re.search(r"Allowed values are: (.+)", part)
        found[name] = kind, re.findall(r'"([^"]+)"', allowed.group(1)) if allowed else []
    return found


def operation(client, name):
    function = getattr(client, name)
    body = tree(function)
    service = SERVICES[client]
    kinds = documented(function)
    base = re.search(r"'base_path': '([^']*)'", inspect.getsource(client.__init__)).group(1).rstrip("/")
    record = {
        "service": service,
        "method": assigned(body, "method")[0].value,
        "path": base + assigned(body, "resource_path")[0].value,
    }
    for what, skip in (("query", ()), ("header", ("accept", "content-type"))):
        members = {}
        for values in assigned(body, f"{what}_params"):
            if not isinstance(values, ast.Dict):
                continue
            for key, value in zip(values.keys, values.values):
                if isinstance(value, ast.Constant) or key.value.lower() in skip:
                    continue
                taken, required = argument(value)
                kind, allowed = kinds[taken]
                member = {"type": kind}
                if required:
                    member["required"] = True
                if allowed:
                    member["allowed"] = allowed
                members[key.value if what == "query" else key.value.lower()] = member
        if members:
            record[what] = members
    for call in ast.walk(body):
        if not (isinstance(call, ast.Call) and ast.unparse(call.func) == "self.base_client.call_api"):
            continue
        for keyword in call.keywords:
            if keyword.arg == "body":
                taken, required = argument(keyword.value)
                kind = kinds[taken][0]
                record["body"] = qualified(service, kind.rpartition(".models.")[2] or kind)
                if not required:
                    record["body_optional"] = True
            elif keyword.arg == "response_type":
                record["response"] = qualified(service, keyword.value.value)
            elif keyword.arg == "enforce_content_headers" and keyword.value.value is False:
                record["body_unsigned"] = True
    return record


def qualified(service, kind):
    """A type with its models named by service: `list[core.Vcn]`, `dict(str, str)`."""
    if kind in PLAIN:
        return kind
    if match := re.fullmatch(r"list\[(.+)\]", kind):
        return f"list[{qualified(service, match.group(1))}]"
    if match := re.fullmatch(r"dict\((\w+), (.+)\)", kind):
        return f"dict[{qualified(service, match.group(2))}]"
    # A few enumerations are named like models, but have no class: `list[CycleMode]`.
    return f"{service}.{kind}" if hasattr(MODELS[service], kind) else "str"


def named(kind):
    """The models that a type names."""
    return re.findall(r"\w+\.\w+", kind)


def allowed_values(model):
    """Member -> allowed values, from the setters of a model and of what it derives from."""
    found = {}
    for base in reversed(model.__mro__):
        for name, item in vars(base).items():
            if not (isinstance(item, property) and item.fset):
                continue
            values = assigned(tree_of_setter(item.fset), "allowed_values")
            if values:
                found[name] = ast.literal_eval(values[0])
    return found


def tree_of_setter(setter):
    source = textwrap.dedent(inspect.getsource(setter))
    return ast.parse(source[source.index("def "):])


def model(service, name):
    kind = getattr(MODELS[service], name)
    made = kind()
    allowed = allowed_values(kind)
    members = {}
    for python, wire in made.attribute_map.items():
        member = {"type": qualified(service, made.swagger_types[python])}
        if "**[Required]**" in (inspect.getattr_static(kind, python).fget.__doc__ or ""):
            member["required"] = True
        if python in allowed:
            member["allowed"] = allowed[python]
        members[wire] = member
    record = {"members": members}
    if "get_subtype" in vars(kind):
        body = tree_of_setter(kind.get_subtype)
        record["discriminator"] = assigned(body, "type")[0].slice.value
        record["subtypes"] = {
            node.test.comparators[0].value: f"{service}.{node.body[0].value.value}"
            for node in ast.walk(body)
            if isinstance(node, ast.If)
        }
    return record


def contract():
    operations = {
        f"{SERVICES[client]}.{name}": operation(client, name) for client, names in OPERATIONS.items() for name in names
    }
    wanted = [found for record in operations.values() for key in ("body", "response") for found in named(record.get(key, ""))]
    models = {}
    while wanted:
        name = wanted.pop()
        if name in models:
            continue
        models[name] = model(*name.split("."))
        wanted += models[name].get("subtypes", {}).values()
        for member in models[name]["members"].values():
            wanted += named(member["type"])
    return {"sdk": oci.__version__, "operations": operations, "models": dict(sorted(models.items()))}


def main():
    made = contract()
    lines = [f'{{"sdk": {json.dumps(made["sdk"])},']
    for part in ("operations", "models"):
        lines.append(f'"{part}": {{')
        lines.append(",\n".join(f"{json.dumps(name)}: {json.dumps(record)}" for name, record in made[part].items()))
        lines.append("}," if part == "operations" else "}}")
    text = "\n".join(lines) + "\n"
    assert json.loads(text) == made
    figures = f"{len(made['operations'])} operations, {len(made['models'])} models of oci {made['sdk']}"
    if "--check" in sys.argv:
        stored = json.loads(DATA.read_text())
        wrong = [
            f"{part} {name}"
            for part in ("operations", "models")
            for name in made[part].keys() | stored[part].keys()
            if made[part].get(name) != stored[part].get(name)
        ]
        wrong += ["sdk"] if made["sdk"] != stored["sdk"] else []
        print(f"{figures}, {len(wrong)} differ" + "".join(f"\n  {name}" for name in sorted(wrong)))
        return 1 if wrong else 0
    DATA.write_text(text)
    print(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
