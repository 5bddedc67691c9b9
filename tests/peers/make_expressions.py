"""Writes expressions for the language's fixtures: every function with every kind of argument, and seeded random ones.

usage: tests/peers/make_expressions.py calls            every function with one value of each kind for each parameter
       tests/peers/make_expressions.py pairs            values of two kinds where they must be made one
       tests/peers/make_expressions.py arithmetic SEED N    N random computations with numbers of all sizes
       tests/peers/make_expressions.py random SEED N    N random expressions

`terraform_expressions.sh` makes the answers.
"""

import json
import random
import subprocess
import sys

# One or more values of every kind, cheap to tell apart in an answer.
VALUES = [
    "null", "true", "0", "-1", "2", "0.5", "1e40", '""', '"a"', '"b,a"', '"10"', '"true"', '"é"',
    "[]", '["b", "a", "b"]', '[1, "a"]', "[null]", "[[1], [2, 3]]", "{}", '{ a = 1, b = 2 }', '{ a = "x", b = [true] }',
    'tolist(["b", "a", "b"])', "tolist([])", 'toset(["b", "a"])', "toset([2, 10])", 'tomap({ a = "x", b = "y" })', "tomap({})",
    'tomap({ a = ["x", "y"], b = ["x"] })', "tostring(null)", "tolist(null)",
    "local.string", "local.number", "local.bool", "local.list", "local.set", "local.map", "local.tuple", "local.object", "local.dynamic",
    "local.id", "local.prefixed", "local.partly", "local.partly_list", "local.partly_set", "local.partly_map", "local.partly_named",
    "local.secret", "local.secrets", "local.secret_map", "local.partly_secret", "local.secret_unknown",
]
# Good arguments by parameter name or type, so that more than errors come out.
GOOD = {
    "string": ['"a b"', '"2020-01-02T03:04:05Z"', '"10.0.0.0/8"', '"x=1"', '"aGVsbG8="', '"a.b.a"', "local.string", "local.secret"],
    "number": ["0", "1", "3", "-2", "1.5", '"7"', "local.number"],
    "bool": ["true", '"false"', "local.bool"],
    "list": ['["a", "b"]', 'tolist(["c", "a"])', "[1, 2, 3]", "[]", "local.list", "local.partly", "local.secrets"],
    "set": ['toset(["a", "b"])', "[1, 2]", "local.set", "local.partly_set"],
    "map": ["{ a = 1 }", 'tomap({ k = "v" })', "local.map", "local.partly_map", "local.secret_map"],
}
# Random or of the machine: their answers cannot be kept.
SKIPPED = {"bcrypt", "uuid", "timestamp", "abspath", "pathexpand", "plantimestamp", "rsadecrypt", "type", "templatefile", "fileset"}


def signatures():
    text = subprocess.run(["terraform", "metadata", "functions", "-json"], capture_output=True, text=True, check=True).stdout
    return json.loads(text)["function_signatures"]


def kind(ty):
    if isinstance(ty, list):
        return ty[0]
    return ty


def pool(ty):
    ty = kind(ty)
    if ty in GOOD:
        return GOOD[ty]
    return [value for values in GOOD.values() for value in values]


def calls():
    """Every function: each parameter in turn takes every value, the others take what fits."""
    generator = random.Random(1)
    found = []
    for name, signature in sorted(signatures().items()):
        if name in SKIPPED or name.startswith("core::"):
            continue
        parameters = [parameter["type"] for parameter in signature.get("parameters", [])]
        rest = signature.get("variadic_parameter")
        if rest:
            parameters += [rest["type"]] * 2
        found.append(f"{name}()")
        for index in range(len(parameters)):
            for value in VALUES:
                if len(parameters) > 1 and generator.random() < 0.7:
                    continue
                arguments = [generator.choice(pool(ty)) for ty in parameters]
                arguments[index] = value
                if rest and generator.random() < 0.5:
                    arguments = arguments[: max(index + 1, len(parameters) - 1)]
                found.append(f"{name}({', '.join(arguments)})")
    return found


def pairs():
    """Two values whose types must be unified, compared or joined."""
    generator = random.Random(2)
    values = [
        "null", "true", "1", '"a"', '"1"', "[]", "[1]", '["a"]', '[1, "a"]', "[null]", "[[1]]", "{}", "{ a = 1 }", '{ a = "x" }',
        "{ a = 1, b = 2 }", "{ a = [1] }", "{ a = null }", "tolist([1])", 'tolist(["a"])', "tolist([])", "toset([1])", 'toset(["a"])',
        "tomap({ a = 1 })", 'tomap({ a = "x" })', "tomap({})", "tostring(null)", "tolist(null)", "tolist([tolist([1])])",
        "tolist([{ a = 1 }])", "local.string", "local.number", "local.list", "local.dynamic", "local.object", "local.tuple", "local.id",
        "local.secret", "local.partly",
    ]
    forms = [
        "true ? {} : {}", "false ? {} : {}", "local.bool ? {} : {}", "tolist([{}, {}])", "toset([{}, {}])", "tomap({{ k = {}, l = {} }})",
        "{} == {}", "coalesce({}, {})", "concat({}, {})", "setunion({}, {})", "merge({}, {})", "[{}, {}][*]", "contains([{}], {})",
        "setproduct({}, {})", "flatten([{}, {}])", "coalescelist({}, {})", "{}[{}]", '"${{{}}}-${{{}}}"', "zipmap({}, {})", "{} != {}",
    ]
    found = []
    for form in forms:
        for left in values:
            for right in values:
                if generator.random() < 0.08:
                    found.append(form.format(left, right))
    return found


def arithmetic(seed, count):
    """Computations whose last digits tell how numbers are rounded."""
    generator = random.Random(seed)

    def number():
        kind = generator.random()
        if kind < 0.3:
            return str(generator.randint(1, 1000))
        if kind < 0.75:
            return f"{generator.randint(0, 999)}.{generator.randint(1, 10 ** generator.randint(1, 20))}"
        if kind < 0.92:
            return f"{generator.randint(1, 99999)}e{generator.randint(-30, 30)}"
        return str(generator.randint(0, 10 ** generator.randint(20, 200)))

    def computation(depth):
        if depth == 0 or generator.random() < 0.2:
            return number()
        return f"({computation(depth - 1)} {generator.choice('+-*/%')} {computation(depth - 1)})"

    return [computation(generator.choice([1, 2, 2, 3])) for _ in range(count)]


class Random:
    """Random expressions, most of them well typed."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.signatures = [
            (name, signature) for name, signature in sorted(signatures().items())
            if name not in SKIPPED and not name.startswith("core::") and not name.startswith("file")
        ]
        self.names = []

    def pick(self, *choices):
        return self.random.choice(choices)

    def expression(self, depth, wanted=None):
        generator = self.random
        if generator.random() < 0.06:
            wanted = None
        if depth <= 0 or generator.random() < 0.12:
            return self.leaf(wanted)
        wanted = wanted or self.pick("string", "number", "bool", "list", "map", "any")
        make = {
            "string": self.string, "number": self.number, "bool": self.boolean,
            "list": self.sequence, "set": self.sequence, "map": self.mapping, "any": self.any,
        }[wanted]
        return make(depth - 1)

    def leaf(self, wanted):
        if self.names and self.random.random() < 0.5:
            return self.random.choice(self.names)
        leaves = {
            "string": ['"a"', '""', '"b-1"', '"12"', '"true"', '"ÄÖ ü"', "local.string", "local.id", "local.prefixed", "local.secret", "null"],
            "number": ["0", "1", "2", "-3", "0.1", "1.5", "1e3", "100", '"5"', "local.number", "null"],
            "bool": ["true", "false", '"true"', "local.bool", "null"],
            "list": ["[]", "[1, 2]", '["a", "b", "a"]', 'tolist(["x"])', "local.list", "local.partly", "local.tuple", "local.secrets"],
            "set": ['toset(["a", "b"])', "toset([1, 2])", "local.set", "local.partly_set"],
            "map": ["{}", "{ a = 1 }", '{ a = "x", b = 2 }', 'tomap({ k = "v" })', "local.map", "local.object", "local.partly_map"],
        }
        pool = leaves.get(wanted) or [leaf for group in leaves.values() for leaf in group]
        return self.random.choice(pool)

    def any(self, depth):
        return self.pick(self.conditional, self.call, self.access, self.attempt)(depth)

    def conditional(self, depth, wanted=None):
        return f"({self.expression(depth, 'bool')} ? {self.expression(depth, wanted)} : {self.expression(depth, wanted)})"

    def attempt(self, depth, wanted=None):
        return self.pick(
            f"try({self.expression(depth, wanted)}, {self.expression(depth, wanted)})", f"can({self.expression(depth)})"
        )

    def access(self, depth):
        key = self.pick("[0]", "[1]", '["a"]', ".a", ".b", "[*]", ".*.a", "[*].a", ".0", f"[{self.expression(0, 'number')}]")
        return self.expression(depth, self.pick("list", "map")) + key

    def call(self, depth, wanted=None):
        for _ in range(60):
            name, signature = self.random.choice(self.signatures)
            result = kind(signature["return_type"])
            if wanted is None or result in (wanted, "dynamic"):
                break
        parameters = [parameter["type"] for parameter in signature.get("parameters", [])]
        rest = signature.get("variadic_parameter")
        if rest:
            parameters += [rest["type"]] * self.random.randint(1, 2)
        arguments = [self.expression(depth, kind(ty) if kind(ty) != "dynamic" else None) for ty in parameters]
        return f"{name}({', '.join(arguments)})"

    def string(self, depth):
        choice = self.random.random()
        if choice < 0.35:
            parts = [self.pick("a", " ", "-", "é", "%", "$", "") + "${" + self.expression(depth, self.pick("string", "number")) + "}" for _ in range(self.random.randint(1, 3))]
            return '"' + "".join(parts) + '"'
        if choice < 0.45:
            return '"%{ if ' + self.expression(depth, "bool") + ' }yes%{ else }no%{ endif }"'
        if choice < 0.55:
            name = self.bind()
            text = '"%{ for ' + name + " in " + self.expression(depth, "list") + " }${" + name + '},%{ endfor }"'
            self.names.pop()
            return text
        if choice < 0.65:
            return self.conditional(depth, "string")
        return self.call(depth, "string")

    def number(self, depth):
        choice = self.random.random()
        if choice < 0.5:
            return f"({self.expression(depth, 'number')} {self.pick('+', '-', '*', '/', '%')} {self.expression(depth, 'number')})"
        if choice < 0.6:
            return f"-{self.expression(0, 'number')}"
        if choice < 0.7:
            return self.conditional(depth, "number")
        return self.call(depth, "number")

    def boolean(self, depth):
        choice = self.random.random()
        if choice < 0.25:
            return f"({self.expression(depth, 'number')} {self.pick('<', '<=', '>', '>=')} {self.expression(depth, 'number')})"
        if choice < 0.5:
            wanted = self.pick("string", "number", "list", "map", None)
            return f"({self.expression(depth, wanted)} {self.pick('==', '!=')} {self.expression(depth, wanted)})"
        if choice < 0.7:
            return f"({self.expression(depth, 'bool')} {self.pick('&&', '||')} {self.expression(depth, 'bool')})"
        if choice < 0.8:
            return f"!{self.expression(0, 'bool')}"
        return self.call(depth, "bool")

    def bind(self):
        name = f"x{len(self.names)}"
        self.names.append(name)
        return name

    def sequence(self, depth):
        choice = self.random.random()
        if choice < 0.3:
            return "[" + ", ".join(self.expression(depth) for _ in range(self.random.randint(0, 3))) + "]"
        if choice < 0.55:
            collection = self.expression(depth, self.pick("list", "map", "set"))
            name = self.bind()
            condition = f" if {self.expression(depth, 'bool')}" if self.random.random() < 0.3 else ""
            text = f"[for {name} in {collection} : {self.expression(depth)}{condition}]"
            self.names.pop()
            return text
        if choice < 0.65:
            return self.conditional(depth, "list")
        return self.call(depth, self.pick("list", "set"))

    def mapping(self, depth):
        choice = self.random.random()
        if choice < 0.35:
            return "{ " + ", ".join(f"{self.pick('a', 'b', 'c')} = {self.expression(depth)}" for _ in range(self.random.randint(0, 3))) + " }"
        if choice < 0.6:
            collection = self.expression(depth, self.pick("list", "map"))
            name = self.bind()
            grouping = self.pick("", "", "...")
            text = "{ for " + name + " in " + collection + " : " + self.pick(name, f'"k${{{name}}}"') + " => " + self.expression(depth) + grouping + " }"
            self.names.pop()
            return text
        if choice < 0.7:
            return self.conditional(depth, "map")
        return self.call(depth, "map")


def main():
    if sys.argv[1:] == ["calls"]:
        lines = calls()
    elif sys.argv[1:] == ["pairs"]:
        lines = pairs()
    elif len(sys.argv) == 4 and sys.argv[1] == "arithmetic":
        lines = arithmetic(int(sys.argv[2]), int(sys.argv[3]))
    elif len(sys.argv) == 4 and sys.argv[1] == "random":
        source = Random(int(sys.argv[2]))
        lines = []
        while len(lines) < int(sys.argv[3]):
            expression = source.expression(source.random.choice([1, 1, 2, 2, 3]))
            if len(expression) < 240:
                lines.append(expression)
    else:
        sys.exit(__doc__)
    print("\n".join(dict.fromkeys(lines)))


if __name__ == "__main__":
    main()
