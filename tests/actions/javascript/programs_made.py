"""Make random programs: functions with the difficult cases of extraction, each logging its behaviour."""

from hypothesis import strategies as st

NAMES = ("a", "b", "c")
VALUES = st.one_of(
    st.sampled_from(NAMES),
    st.integers(0, 3).map(str),
    st.tuples(st.sampled_from(NAMES), st.sampled_from(("+", "-", "*")), st.integers(1, 3)).map(
        lambda parts: f"{parts[0]} {parts[1]} {parts[2]}"
    ),
    st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)).map(lambda names: f"peek({names[0]}, {names[1]})"),
    st.sampled_from(NAMES).map(lambda name: f"o.{name}"),
    st.sampled_from(NAMES).map(lambda name: f"(() => {name})()"),
    st.sampled_from(NAMES).map(lambda name: f"`<${{{name}}}>`.length"),
)
CONDITIONS = st.tuples(VALUES, st.sampled_from(("<", ">", "===")), VALUES).map(" ".join)


def _indented(lines: list[str]) -> str:
    return "\n".join(f"  {line}" for text in lines for line in text.split("\n"))


def _counted(number: int, body: list[str]) -> str:
    return f"for (let i{number} = 0; i{number} < 2; i{number}++) {{\n{_indented(body)}\n}}"


SIMPLE = st.one_of(
    st.tuples(st.sampled_from(NAMES), VALUES).map(lambda parts: f"{parts[0]} = {parts[1]};"),
    st.tuples(st.sampled_from(NAMES), VALUES).map(lambda parts: f"{parts[0]} += {parts[1]};"),
    st.sampled_from(NAMES).map(lambda name: f"{name}++;"),
    st.tuples(st.integers(0, 9), VALUES).map(lambda parts: f"var v{parts[0]} = {parts[1]}; say('v', v{parts[0]});"),
    st.integers(0, 9).map(lambda number: f"say('late', typeof v{number});"),
    st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)).map(lambda names: f"[{names[0]}, {names[1]}] = [1, 2];"),
    st.sampled_from(NAMES).map(lambda name: f"({{ {name} = 5 }} = o);"),
    st.tuples(VALUES, VALUES).map(lambda values: f"say({values[0]}, {values[1]});"),
    st.sampled_from(NAMES).map(lambda name: f"fns.push(() => {name});"),
    st.sampled_from(NAMES).map(lambda name: f"fns.push(() => {{ {name} += 1; }});"),
    st.just("fns.forEach((f) => say('f', f()));"),
    st.sampled_from(NAMES).map(lambda name: f"o.{name} = {name};"),
)
LEAVING = st.one_of(
    VALUES.map(lambda value: f"return {value};"),
    st.sampled_from(("break;", "continue;")),
    VALUES.map(lambda value: f"throw new Error('e' + {value});"),
)


def _blocks(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    bodies = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        st.tuples(CONDITIONS, bodies).map(lambda parts: f"if ({parts[0]}) {{\n{_indented(parts[1])}\n}}"),
        st.tuples(CONDITIONS, bodies, bodies).map(
            lambda parts: f"if ({parts[0]}) {{\n{_indented(parts[1])}\n}} else {{\n{_indented(parts[2])}\n}}"
        ),
        st.tuples(st.integers(0, 9), bodies).map(lambda parts: _counted(*parts)),
        st.tuples(bodies, bodies, bodies).map(
            lambda parts: (
                f"try {{\n{_indented(parts[0])}\n}} catch (e) {{\n  say(e.message);\n{_indented(parts[1])}\n}}"
                f" finally {{\n{_indented(parts[2])}\n}}"
            )
        ),
        st.tuples(st.integers(0, 9), VALUES, bodies).map(
            lambda parts: f"{{\nlet n{parts[0]} = {parts[1]};\n{_indented(parts[2])}\nsay('n', n{parts[0]});\n}}"
        ),
        st.tuples(st.integers(0, 9), bodies).map(
            lambda parts: (
                f"for (const [k{parts[0]}, w{parts[0]}] of Object.entries(o)) {{\n{_indented(parts[1])}\n"
                f"say(k{parts[0]}, w{parts[0]});\n}}"
            )
        ),
        st.tuples(VALUES, bodies, bodies).map(
            lambda parts: (
                f"switch ({parts[0]}) {{\ncase 1:\n{_indented(parts[1])}\ncase 2: {{\n{_indented(parts[2])}\n}}\n}}"
            )
        ),
    )


STATEMENTS = st.recursive(st.one_of(SIMPLE, SIMPLE, SIMPLE, LEAVING), _blocks, max_leaves=8)

HEADS = st.sampled_from(
    (
        ("function work(a, b, o) {", "}", "work(x, y, { a: 1, b: 2, c: 3 })"),
        ("const work = (a, b, o) => {", "};", "work(x, y, { a: x })"),
        ("class Work { go(a, b, o) {", "} }", "new Work().go(x, y, { c: y })"),
    )
)


def _program(head: tuple[str, str, str], body: list[str]) -> str:
    """Assemble a program; loops and switches around the body give ``break`` and ``continue`` a target."""
    opening, closing, call = head
    lines = ["let c = a - b, fns = [];", "for (let round = 0; round < 2; round++) {", _indented(body), "}"]
    lines += ["say('end', a, b, c, o);", "return [a, b, c];"]
    return (
        "const peek = (p, q) => { say('peek', p, q); return p; };\n"
        f"{opening}\n{_indented(lines)}\n{closing}\n"
        "module.exports.inputs = [[0, 1], [2, 1], [3, 3]];\n"
        f"module.exports.run = (x, y) => {call};\n"
    )


PROGRAMS_MADE = st.builds(_program, HEADS, st.lists(STATEMENTS, min_size=2, max_size=6))
"""Programs as CommonJS modules with ``run`` and ``inputs``; the test leaves out those that do not parse."""
