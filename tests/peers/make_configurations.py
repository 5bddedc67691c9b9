#!/usr/bin/env python3
"""Writes random whole configurations for `terraform_modules.sh` and the engine's test `plans_are_terraforms`.

usage: tests/peers/make_configurations.py [SEED...]

Writes src/engine/tests/engine/terraform/random_SEED.txt for each seed: a configuration that is changed step by step, with typed variables,
local values, `for` expressions, splats, conditionals, templates, resources and modules with `count` and `for_each`, and outputs of all that.
The same seed always gives the same file. What Terraform says of them is written by `tests/peers/terraform_modules.sh random_SEED`.
"""

import pathlib
import random
import sys

FOLDER = pathlib.Path("src/engine/tests/engine/terraform")
STEPS = 10
WORDS = ["a", "b", "ab", "x y", "\u00e9", "", "10", "true"]


class Configuration:
    """One configuration in the making: what may be referred to, by type."""

    def __init__(self, rng, inside=False):
        self.rng = rng
        self.inside = inside
        self.names = {kind: [] for kind in ["string", "number", "bool", "strings", "numbers", "objects"]}
        self.text = []

    def add(self, kind, reference):
        self.names[kind].append(reference)

    def known(self, kind):
        return self.rng.choice(self.names[kind]) if self.names[kind] and self.rng.random() < 0.6 else None

    def expression(self, kind, depth):
        known = self.known(kind)
        if known is not None and (depth <= 0 or self.rng.random() < 0.4):
            return known
        return getattr(self, kind)(depth - 1)

    def literal(self, text):
        return '"' + text + '"'

    def string(self, depth):
        rng = self.rng
        if depth <= 0:
            return self.literal(rng.choice(WORDS))
        options = [
            lambda: self.literal(rng.choice(WORDS)),
            lambda: f'"{rng.choice(WORDS)}-${{{self.expression("string", depth)}}}"',
            lambda: f'"${{{self.expression("number", depth)}}}/${{{self.expression("bool", depth)}}}"',
            lambda: f'upper({self.expression("string", depth)})',
            lambda: f'join(",", {self.expression("strings", depth)})',
            lambda: f'try({self.expression("strings", depth)}[{rng.randint(0, 2)}], "none")',
            lambda: f'lookup({self.expression("numbers", depth)}, "{rng.choice("abc")}", 7) > 3 ? "big" : "small"',
            lambda: f'{self.expression("bool", depth)} ? {self.expression("string", depth)} : {self.expression("string", depth)}',
            lambda: f'jsonencode({self.expression("objects", depth)})',
            lambda: f'format("%s=%v", {self.expression("string", depth)}, {self.expression("number", depth)})',
            lambda: f'"%{{ for s in {self.expression("strings", depth)} }}[${{s}}]%{{ endfor }}"',
        ]
        return self.wrapped(rng.choice(options)())

    def number(self, depth):
        rng = self.rng
        if depth <= 0:
            return str(rng.choice([0, 1, 2, 3, 10, 0.5]))
        options = [
            lambda: str(rng.choice([0, 1, 2, 3, 10, 0.5, 1e3])),
            lambda: f'{self.expression("number", depth)} {rng.choice(["+", "-", "*"])} {self.expression("number", depth)}',
            lambda: f'length({self.expression("strings", depth)})',
            lambda: f'length({self.expression("numbers", depth)})',
            lambda: f'sum(concat([0], values({self.expression("numbers", depth)})))',
            lambda: f'max({self.expression("number", depth)}, {self.expression("number", depth)})',
            lambda: f'{self.expression("bool", depth)} ? {self.expression("number", depth)} : {self.expression("number", depth)}',
            lambda: f'length([for o in {self.expression("objects", depth)} : o.size if o.size > 1])',
            lambda: f'-({self.expression("number", depth)})',
        ]
        return self.wrapped(rng.choice(options)())

    def bool(self, depth):
        rng = self.rng
        if depth <= 0:
            return rng.choice(["true", "false"])
        options = [
            lambda: f'{self.expression("number", depth)} {rng.choice(["<", ">=", "==", "!="])} {self.expression("number", depth)}',
            lambda: f'{self.expression("string", depth)} == {self.expression("string", depth)}',
            lambda: f'contains({self.expression("strings", depth)}, {self.expression("string", depth)})',
            lambda: f'!{self.expression("bool", depth)}',
            lambda: f'{self.expression("bool", depth)} {rng.choice(["&&", "||"])} {self.expression("bool", depth)}',
            lambda: f'can({self.expression("strings", depth)}[{rng.randint(0, 3)}])',
            lambda: f'anytrue([for n in values({self.expression("numbers", depth)}) : n > 2])',
        ]
        return self.wrapped(rng.choice(options)())

    def strings(self, depth):
        """A list of strings."""
        rng = self.rng
        if depth <= 0:
            return "tolist([" + ", ".join(self.literal(rng.choice(WORDS)) for _ in range(rng.randint(1, 3))) + "])"
        options = [
            lambda: "tolist([" + ", ".join(self.expression("string", depth) for _ in range(rng.randint(1, 3))) + "])",
            lambda: f'[for s in {self.expression("strings", depth)} : upper(s)]',
            lambda: f'[for i, s in {self.expression("strings", depth)} : "${{i}}:${{s}}" if i != {rng.randint(0, 2)}]',
            lambda: f'[for k, v in {self.expression("numbers", depth)} : "${{k}}${{v}}"]',
            lambda: f'sort({self.expression("strings", depth)})',
            lambda: f'tolist(toset({self.expression("strings", depth)}))',
            lambda: f'concat({self.expression("strings", depth)}, {self.expression("strings", depth)})',
            lambda: f'{self.expression("objects", depth)}[*].name',
            lambda: f'keys({self.expression("numbers", depth)})',
            lambda: f'distinct({self.expression("strings", depth)})',
            lambda: f'slice(concat({self.expression("strings", depth)}, ["z"]), 0, 1)',
        ]
        return self.wrapped(rng.choice(options)())

    def numbers(self, depth):
        """A map of numbers."""
        rng = self.rng
        if depth <= 0:
            return "tomap({ " + ", ".join(f"{k} = {rng.randint(0, 9)}" for k in rng.sample("abc", rng.randint(1, 3))) + " })"
        options = [
            lambda: "tomap({ " + ", ".join(f'{k} = {self.expression("number", depth)}' for k in rng.sample("abc", 2)) + " })",
            lambda: f'{{ for k, v in {self.expression("numbers", depth)} : "k${{k}}" => v * 2 }}',
            lambda: f'{{ for s in toset({self.expression("strings", depth)}) : s => length(s) }}',
            lambda: f'merge({self.expression("numbers", depth)}, {{ z = {self.expression("number", depth)} }})',
            lambda: f'{{ for o in {self.expression("objects", depth)} : o.name => o.size... }} == {{}} ? {{ none = 0 }} : {{ some = 1 }}',
            lambda: f'zipmap(["p", "q"], [{self.expression("number", depth)}, {self.expression("number", depth)}])',
        ]
        return self.wrapped(rng.choice(options)())

    def objects(self, depth):
        """A list of objects with a name and a size."""
        rng = self.rng
        one = lambda: f'{{ name = {self.expression("string", depth)}, size = {self.expression("number", depth)} }}'
        if depth <= 0:
            return "[" + ", ".join(one() for _ in range(rng.randint(1, 2))) + "]"
        options = [
            lambda: "[" + ", ".join(one() for _ in range(rng.randint(1, 3))) + "]",
            lambda: f'[for s in {self.expression("strings", depth)} : {{ name = s, size = length(s) }}]',
            lambda: f'[for o in {self.expression("objects", depth)} : merge(o, {{ size = o.size + 1 }})]',
            lambda: f'[for k, v in {self.expression("numbers", depth)} : {{ name = k, size = v }}]',
        ]
        return self.wrapped(rng.choice(options)())

    def wrapped(self, text):
        return f"({text})"

    def write(self, text):
        self.text.append(text)


TYPES = {
    "string": "string",
    "number": "number",
    "bool": "bool",
    "strings": "list(string)",
    "numbers": "map(number)",
    "objects": "list(object({ name = string, size = optional(number, 4) }))",
}


def variables(configuration, prefix, count):
    rng = configuration.rng
    for index in range(count):
        kind = rng.choice(list(TYPES))
        constant = Configuration(rng)
        default = {
            "string": lambda: constant.string(0),
            "number": lambda: constant.number(0),
            "bool": lambda: constant.bool(0),
            "strings": lambda: '["a", "b"]' if rng.random() < 0.5 else '["c", 1, true]',
            "numbers": lambda: '{ a = 1, b = "2" }',
            "objects": lambda: '[{ name = "n", size = 2 }, { name = "m" }]',
        }[kind]()
        configuration.write(f'variable "{prefix}{index}" {{\n  type    = {TYPES[kind]}\n  default = {default}\n}}')
        configuration.add(kind, f"var.{prefix}{index}")


def local_values(configuration, prefix, count):
    rng = configuration.rng
    lines = []
    for index in range(count):
        kind = rng.choice(list(TYPES))
        lines.append(f"  {prefix}{index} = {configuration.expression(kind, 3)}")
        configuration.add(kind, f"local.{prefix}{index}")
    configuration.write("locals {\n" + "\n".join(lines) + "\n}")


def resources(configuration, prefix, count):
    rng = configuration.rng
    for index in range(count):
        name = f"{prefix}{index}"
        address = f"terraform_data.{name}"
        kind = rng.choice(["string", "number", "strings", "numbers"])
        style = rng.choice(["single", "count", "for_each", "for_each_map"])
        lines = []
        if style == "count":
            lines.append(f"  count = {rng.randint(0, 3)}")
        elif style == "for_each":
            lines.append('  for_each = toset(["k", "l"])' if rng.random() < 0.5 else "  for_each = toset([])")
        elif style == "for_each_map":
            lines.append("  for_each = { p = 1, q = 2 }")
        lines.append(f"  input = {configuration.expression(kind, 2)}")
        if rng.random() < 0.2:
            lines.append(f'  triggers_replace = [{configuration.expression("string", 1)}]')
        configuration.write(f'resource "terraform_data" "{name}" {{\n' + "\n".join(lines) + "\n}")
        attribute = rng.choice(["input", "output"])
        if style == "single":
            configuration.add(kind, f"{address}.{attribute}")
        elif style == "count" and kind == "string":
            configuration.add("strings", f"{address}[*].{attribute}")
        elif kind == "string":
            configuration.add("strings", f"[for k, v in {address} : v.{attribute}]")
            configuration.add("strings", f"values({address})[*].{attribute}")
        elif kind == "number" and style != "count":
            configuration.add("numbers", f"{{ for k, v in {address} : k => v.{attribute} }}")
        configuration.add("number", f"length({address})" if style != "single" else f"length({address}.*.id)")


def outputs(configuration, prefix, count):
    rng = configuration.rng
    found = {}
    for index in range(count):
        kind = rng.choice(list(TYPES))
        configuration.write(f'output "{prefix}{index}" {{\n  value = {configuration.expression(kind, 3)}\n}}')
        found[f"{prefix}{index}"] = kind
    return found


def module(rng):
    inside = Configuration(rng, inside=True)
    inside.write('variable "word" {\n  type = string\n}\nvariable "words" {\n  type    = list(string)\n  default = ["m"]\n}')
    inside.add("string", "var.word")
    inside.add("strings", "var.words")
    local_values(inside, "l", 2)
    resources(inside, "m", 1)
    return "\n".join(inside.text), outputs, inside


def configuration(rng):
    """Texts of a root module and of the module `m`."""
    inner_text, _, inner = module(rng)
    kinds = outputs(inner, "o", 3)
    inner_text = "\n".join(inner.text)
    root = Configuration(rng)
    variables(root, "v", 3)
    local_values(root, "a", 4)
    resources(root, "r", 3)
    for name, style in [("one", ""), ("few", f"  count  = {rng.randint(0, 3)}\n"), ("each", '  for_each = toset(["x", "y"])\n')]:
        word = {"": root.expression("string", 1), "one": "", "each": "each.key"}.get("each" if "for_each" in style else "", '"w"')
        root.write(f'module "{name}" {{\n  source = "./m"\n{style}  word   = {word}\n  words  = {root.expression("strings", 1)}\n}}')
        for output, kind in kinds.items():
            if name == "one":
                root.add(kind, f"module.one.{output}")
            elif kind == "string":
                path = f"module.few[*].{output}" if name == "few" else f"[for k, m in module.each : m.{output}]"
                root.add("strings", path)
            elif name == "each":
                root.add(kind, f'module.each["x"].{output}')
    local_values(root, "b", 4)
    outputs(root, "o", 8)
    return "\n".join(root.text), inner_text


def main():
    for seed in [int(argument) for argument in sys.argv[1:]] or range(1, 7):
        rng = random.Random(seed)
        lines = [f"# Random configurations, written by tests/peers/make_configurations.py {seed}."]
        for _ in range(STEPS):
            root, inner = configuration(rng)
            lines += ["> file m/main.tf", inner, "> file main.tf", root, "> step"]
        path = FOLDER / f"random_{seed}.txt"
        path.write_text("\n".join(lines) + "\n")
        print(f"{path}: {STEPS} steps")


main()
