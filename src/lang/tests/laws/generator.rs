//! Random expressions of a wanted type over the local values `n s b l d u m o`.

/// Decisions for a generator: a byte each; when the tape is at its end, the first choice is taken everywhere.
pub struct Tape<'a> {
    bytes: &'a [u8],
    /// Names of `for` expressions around, all of them strings.
    names: usize,
    depth: usize,
}

impl<'a> Tape<'a> {
    /// A tape that is read from its beginning.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, names: 0, depth: 0 }
    }

    fn choose(&mut self, choices: usize) -> usize {
        match self.bytes.split_first() {
            Some((first, rest)) if self.depth < 7 => {
                self.bytes = rest;
                usize::from(*first) % choices
            }
            _ => 0,
        }
    }

    fn pick<'t>(&mut self, choices: &[&'t str]) -> &'t str {
        choices[self.choose(choices.len())]
    }

    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> T) -> T {
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }
}

/// An expression of any type.
pub fn expression(tape: &mut Tape<'_>) -> String {
    tape.deeper(|tape| match tape.choose(12) {
        0 => string(tape),
        1 => number(tape),
        2 => boolean(tape),
        3 => strings(tape),
        4 => numbers(tape),
        5 => set(tape),
        6 => map(tape),
        7 => format!("{{ x = {}, (\"k${{{}}}\") = {} }}", expression(tape), string(tape), expression(tape)),
        8 => format!("[{}, {}]", expression(tape), expression(tape)),
        9 => object(tape),
        10 => {
            let branch = [string, number, strings, map, set, object, boolean][tape.choose(7)];
            conditional(tape, branch)
        }
        _ => format!("{{ for k, v in {} : k => {}... }}", map(tape), expression(tape)),
    })
}

fn conditional(tape: &mut Tape<'_>, branch: fn(&mut Tape<'_>) -> String) -> String {
    format!("({} ? {} : {})", boolean(tape), branch(tape), branch(tape))
}

/// An expression that sees one more name.
fn inside_for(tape: &mut Tape<'_>, inner: fn(&mut Tape<'_>) -> String) -> String {
    tape.names += 1;
    let text = inner(tape);
    tape.names -= 1;
    text
}

fn number(tape: &mut Tape<'_>) -> String {
    tape.deeper(|tape| match tape.choose(20) {
        0 => "local.n".to_owned(),
        1 => tape.pick(&["1", "0", "2.5", "-3", "10"]).to_owned(),
        2 => "local.o.size".to_owned(),
        3 => format!("({} {} {})", number(tape), tape.pick(&["+", "-", "*", "/", "%"]), number(tape)),
        4 => format!("length({})", [strings, numbers, set, map, string][tape.choose(5)](tape)),
        5 => format!("concat({}, [0, 0, 0, 0])[{}]", numbers(tape), tape.pick(&["0", "1", "local.n", "2"])),
        6 => format!("{}({}, {})", tape.pick(&["max", "min"]), number(tape), number(tape)),
        7 => format!("{}({})", tape.pick(&["abs", "ceil", "floor", "signum"]), number(tape)),
        8 => format!("sum(concat({}, [0]))", numbers(tape)),
        9 => format!("tonumber({})", tape.pick(&["\"7\"", "\"${local.n}\"", "local.m.a", "local.n"])),
        10 => format!("parseint(substr(md5({}), 0, 3), 16)", string(tape)),
        11 => {
            let wanted = string(tape);
            format!("index(concat({}, [{wanted}]), {wanted})", strings(tape))
        }
        12 => conditional(tape, number),
        13 => format!("-{}", number(tape)),
        14 => format!("pow({}, 2)", number(tape)),
        15 => format!("max(0, {}...)", numbers(tape)),
        16 => format!("one([{}])", number(tape)),
        17 => format!("element(concat({}, [0]), abs(ceil({})))", numbers(tape), number(tape)),
        18 => format!("coalesce(null, {}, {})", number(tape), number(tape)),
        _ => format!("log(abs({}) + 1, 2)", number(tape)),
    })
}

fn string(tape: &mut Tape<'_>) -> String {
    tape.deeper(|tape| match tape.choose(30) {
        0 if tape.names > 0 => format!("x{}", tape.choose(tape.names) + 1),
        0 | 1 => "local.s".to_owned(),
        2 => tape.pick(&["\"a\"", "\"b\"", "\"\"", "\"1\"", "\"A b\""]).to_owned(),
        3 => "local.o.name".to_owned(),
        4 => format!("\"p${{{}}}-${{{}}}\"", string(tape), number(tape)),
        5 => format!("{}({})", tape.pick(&["upper", "lower", "title", "trimspace", "strrev", "chomp"]), string(tape)),
        6 => format!("join({}, {})", string(tape), strings(tape)),
        7 => format!("substr({}, {}, {})", string(tape), tape.pick(&["0", "1", "-1"]), number(tape)),
        8 => format!("replace({}, {}, {})", string(tape), string(tape), string(tape)),
        9 => format!("format({}, {})", tape.pick(&["\"%s\"", "\"<%5s>\"", "\"%v!\""]), expression(tape)),
        10 => format!("jsonencode({})", expression(tape)),
        11 => format!("{}({})", tape.pick(&["base64encode", "sha256", "md5", "urlencode"]), string(tape)),
        12 => format!("{}({}, {})", tape.pick(&["trim", "trimprefix", "trimsuffix"]), string(tape), string(tape)),
        13 => format!("lookup({}, {}, {})", map(tape), string(tape), string(tape)),
        14 => {
            format!("merge({}, {{ a = \"\" }})[{}]", map(tape), tape.pick(&["\"a\"", "substr(\"a\", 0, 1)", "local.s"]))
        }
        15 => format!("merge({{ a = \"z\" }}, {}).a", map(tape)),
        16 => format!("tostring({})", if tape.choose(2) == 0 { number(tape) } else { boolean(tape) }),
        17 => format!("concat({}, [\"x\", \"y\"])[{}]", strings(tape), tape.pick(&["0", "1", "local.n"])),
        18 => format!("element(concat({}, [\"\"]), abs(floor({})))", strings(tape), number(tape)),
        19 => conditional(tape, string),
        20 => format!("coalesce({}, {}, \"z\")", string(tape), string(tape)),
        21 => format!("\"%{{ if {} }}yes%{{ else }}${{{}}}%{{ endif }}\"", boolean(tape), string(tape)),
        22 => format!(
            "\"%{{ for x{} in {} }}<${{{}}}>%{{ endfor }}\"",
            tape.names + 1,
            strings(tape),
            inside_for(tape, string)
        ),
        23 => format!("one(toset([{}]))", string(tape)),
        24 => format!("indent(2, {})", string(tape)),
        25 => format!("regex(\"[a-z]*\", {})", string(tape)),
        26 => format!("{{ a = {}, b = {} }}[{} ? \"a\" : \"b\"]", string(tape), string(tape), boolean(tape)),
        27 => format!("(local.n == null ? \"\" : {})", string(tape)),
        28 => format!("yamlencode({})", expression(tape)),
        _ => format!("join(\"-\", keys({}))", map(tape)),
    })
}

fn boolean(tape: &mut Tape<'_>) -> String {
    tape.deeper(|tape| match tape.choose(14) {
        0 => "local.b".to_owned(),
        1 => tape.pick(&["true", "false"]).to_owned(),
        2 => format!("({} {} {})", number(tape), tape.pick(&["<", "<=", ">", ">="]), number(tape)),
        3 => format!("({} {} {})", set(tape), tape.pick(&["==", "!="]), set(tape)),
        4 => format!("({} {} {})", string(tape), tape.pick(&["==", "!="]), string(tape)),
        5 => format!("({} {} {})", boolean(tape), tape.pick(&["&&", "||"]), boolean(tape)),
        6 => format!("!{}", boolean(tape)),
        7 => format!("contains({}, {})", if tape.choose(2) == 0 { strings(tape) } else { set(tape) }, string(tape)),
        8 => format!("{}([{}, {}])", tape.pick(&["alltrue", "anytrue"]), boolean(tape), boolean(tape)),
        9 => format!("{}({}, {})", tape.pick(&["startswith", "endswith", "strcontains"]), string(tape), string(tape)),
        10 => conditional(tape, boolean),
        11 => format!("tobool(\"${{{}}}\")", boolean(tape)),
        // Whether a conditional is a list or a tuple may depend on what is not known yet, in Terraform, too; equality would tell.
        12 => format!("(tolist({}) {} tolist({}))", strings(tape), tape.pick(&["==", "!="]), strings(tape)),
        _ => format!("({} == null)", expression(tape)),
    })
}

fn strings(tape: &mut Tape<'_>) -> String {
    tape.deeper(|tape| match tape.choose(22) {
        0 => "local.l".to_owned(),
        1 => format!("[{}, {}]", string(tape), string(tape)),
        2 => "local.o.tags".to_owned(),
        3 => format!("split({}, {})", tape.pick(&["\",\"", "\" \"", "local.s"]), string(tape)),
        4 => format!("[for x{} in {} : {}]", tape.names + 1, strings(tape), inside_for(tape, string)),
        5 => format!(
            "[for x{n} in {} : {} if {}]",
            strings(tape),
            inside_for(tape, string),
            inside_for(tape, boolean),
            n = tape.names + 1
        ),
        6 => format!("{}({})", tape.pick(&["sort", "distinct", "reverse", "compact", "tolist"]), strings(tape)),
        7 => format!("concat({}, {})", strings(tape), strings(tape)),
        8 => format!(
            "slice(concat({}, [\"a\", \"b\", \"c\"]), 0, {})",
            strings(tape),
            tape.pick(&["1", "0", "local.n", "2"])
        ),
        9 => format!("keys({})", map(tape)),
        10 => format!("values({})", map(tape)),
        11 => format!("tolist({})", set(tape)),
        12 => format!("flatten([{}, [{}]])", strings(tape), strings(tape)),
        13 => conditional(tape, strings),
        14 => format!("{}[*]", strings(tape)),
        15 => format!("[for o in [{}] : o.name]", object(tape)),
        16 => format!("[{}][*].name", object(tape)),
        17 => format!("formatlist(\"%s-%s\", {}, {})", strings(tape), string(tape)),
        18 => format!("regexall(\"[a-z]\", {})", string(tape)),
        19 => format!("coalescelist({}, [{}])", strings(tape), string(tape)),
        20 => {
            let same = strings(tape);
            format!("matchkeys({same}, {same}, {})", strings(tape))
        }
        _ => format!("[for k, v in {} : \"${{k}}${{v}}\"]", map(tape)),
    })
}

fn numbers(tape: &mut Tape<'_>) -> String {
    tape.deeper(|tape| match tape.choose(8) {
        0 => "local.d".to_owned(),
        1 => format!("[{}, {}]", number(tape), number(tape)),
        2 => format!("range({})", tape.pick(&["3", "local.n", "length(local.l)"])),
        3 => format!("[for v in {} : v * {}]", numbers(tape), number(tape)),
        4 => format!("[for k, v in {} : k + length(v)]", strings(tape)),
        5 => format!("reverse({})", numbers(tape)),
        6 => conditional(tape, numbers),
        _ => format!("[for v in {} : v if v > {}]", numbers(tape), number(tape)),
    })
}

fn set(tape: &mut Tape<'_>) -> String {
    tape.deeper(|tape| match tape.choose(6) {
        0 => "local.u".to_owned(),
        1 => format!("toset({})", strings(tape)),
        2 => format!("{}({}, {})", tape.pick(&["setunion", "setintersection", "setsubtract"]), set(tape), set(tape)),
        3 => conditional(tape, set),
        4 => format!("toset([for x{} in {} : {}])", tape.names + 1, set(tape), inside_for(tape, string)),
        _ => format!("toset(keys({}))", map(tape)),
    })
}

fn map(tape: &mut Tape<'_>) -> String {
    tape.deeper(|tape| match tape.choose(9) {
        0 => "local.m".to_owned(),
        1 => format!("{{ a = {}, (\"b${{{}}}\") = {} }}", string(tape), string(tape), string(tape)),
        2 => format!("merge({}, {})", map(tape), map(tape)),
        3 => {
            let same = strings(tape);
            format!("zipmap({same}, {same})")
        }
        4 => format!(
            "{{ for x{n} in {} : \"k${{{}}}\" => {} }}",
            set(tape),
            inside_for(tape, string),
            inside_for(tape, string),
            n = tape.names + 1
        ),
        5 => format!("{{ for k, v in {} : k => v if {} }}", map(tape), boolean(tape)),
        6 => conditional(tape, map),
        7 => format!("tomap({})", map(tape)),
        _ => format!("transpose({{ a = {} }})", strings(tape)),
    })
}

fn object(tape: &mut Tape<'_>) -> String {
    tape.deeper(|tape| match tape.choose(4) {
        0 => "local.o".to_owned(),
        1 => format!("{{ name = {}, size = {}, tags = {} }}", string(tape), number(tape), strings(tape)),
        2 => conditional(tape, object),
        _ => format!("merge({}, {{ size = {} }})", object(tape), number(tape)),
    })
}
