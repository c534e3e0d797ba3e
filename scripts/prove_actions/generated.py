"""Make random programs and log their behaviour: every value and error, so that any change shows.

A few names are used again and again, bound or not, so that the difficult cases of extraction are frequent.
"""

import random
from collections.abc import Callable
from typing import Any, Final

NAMES: Final = ("a", "b", "c", "d")
MAX_STEPS: Final = 400
INPUTS: Final[tuple[tuple[int, int, list[int]], ...]] = ((0, 1, [1, 2, 3]), (2, 0, []), (3, 4, [0]))
PRELUDE: Final = """\
total = 0


class Manager:
    def __init__(self, swallows):
        self.swallows = swallows

    def __enter__(self):
        return t(7)

    def __exit__(self, *error):
        t(8)
        return self.swallows


def boom(value):
    t(value)
    if value % 3 == 2:
        raise ValueError(value)
    return value


def take(values):
    return t(values.pop() if values else 4)


"""


class Program:
    """Writes one function with all its statements."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._count = 0
        self._is_generator = dice.random() < 0.2
        self._has_function = dice.random() < 0.25
        self._loops = 0

    def text(self) -> str:
        """Return a module with a function ``f(a, b, xs)``."""
        lines = ["def f(a, b, xs):"]
        if self._dice.random() < 0.3:
            lines.append("    global total")
        lines += self._block(1, 0, (4, 7))
        lines += ["    return " + self._value()] if self._dice.random() < 0.8 else []
        if self._is_generator:
            lines.append("    yield 1")
        return PRELUDE + "\n".join(lines) + "\n"

    def _block(self, depth: int, loops: int, count: tuple[int, int] = (1, 3)) -> list[str]:
        lines: list[str] = []
        for _ in range(self._dice.randint(*count)):
            lines += self._statement(depth, loops)
        return lines

    def _statement(self, depth: int, loops: int) -> list[str]:
        simple = (self._assign, self._assign, self._once, self._call, self._augment, self._pair, self._leave)
        compound = (self._if, self._if, self._for, self._while, self._try, self._try, self._with, self._match)
        rare = (self._delete, self._define, self._lambda, self._comprehend, self._yield, self._walrus, self._global)
        pools: list[tuple[Callable[[str, int, int], list[str]], ...]] = [simple, simple, rare]
        if depth < 4:
            pools += [compound, compound]
        return self._dice.choice(self._dice.choice(pools))("    " * depth, depth, loops)

    def _name(self) -> str:
        return self._dice.choice(NAMES)

    def _value(self) -> str:
        name, other_name = self._name(), self._name()
        forms = (name, name, str(self._dice.randint(0, 5)), f"{name} + {other_name}", f"t({name})", f"boom({name})")
        more: tuple[str, ...] = (
            f"t({name}) - {other_name}",
            f"{name} * 2",
            f"({name} if {other_name} else 3)",
            f"len(xs) + {name}",
        )
        more += ("take(xs)", f"({name} if xs else 3)", f"(xs and {name})")
        return self._dice.choice(forms + more)

    def _test(self) -> str:
        name = self._name()
        return self._dice.choice(
            (name, f"{name} > 1", f"t({name}) == {self._name()}", f"not {name}", f"{name} and boom({name})", "xs")
        )

    def _assign(self, pad: str, _depth: int, _loops: int) -> list[str]:
        return [f"{pad}{self._name()} = {self._value()}"]

    def _call(self, pad: str, _depth: int, _loops: int) -> list[str]:
        shown = f'f"{{{self._name()}}} {{{self._name()} + 1}}"'
        return [f"{pad}t({shown if self._dice.random() < 0.3 else self._value()})"]

    def _once(self, pad: str, _depth: int, _loops: int) -> list[str]:
        """Assign a name that is assigned nowhere else, and read it."""
        self._count += 1
        variable = f"v{self._count}"
        values = (self._value(), self._value(), f"[{self._name()}]", f"xs[{self._name()}:]", "take(xs)", "xs or 3")
        value = self._dice.choice(values)
        way = [f"{pad}if {self._test()}:", f"{pad}    t(0)"]
        between = self._dice.choice(([], self._assign(pad, 0, 0), self._call(pad, 0, 0), way))
        many = (f"t([{variable}, {variable}])", f"t([x for x in xs if {variable}])")
        uses = (f"t({variable})", f"{self._name()} = 1 if {variable} else 2", *many)
        return [f"{pad}{variable} = {value}", *between, pad + self._dice.choice(uses)]

    def _augment(self, pad: str, _depth: int, _loops: int) -> list[str]:
        return [f"{pad}{self._name()} += {self._value()}"]

    def _pair(self, pad: str, _depth: int, _loops: int) -> list[str]:
        return [f"{pad}{self._name()}, {self._name()} = {self._value()}, {self._value()}"]

    def _leave(self, pad: str, _depth: int, loops: int) -> list[str]:
        ways = [f"return {self._value()}", f"raise KeyError({self._value()})"]
        ways += ["break", "continue", "break", "continue"] if loops else []
        guard = f"{pad}if {self._test()}:"
        way = self._dice.choice(ways)
        return [guard, f"{pad}    {way}"] if self._dice.random() < 0.8 else [f"{pad}{way}"]

    def _delete(self, pad: str, _depth: int, _loops: int) -> list[str]:
        return [f"{pad}del {self._name()}"] if self._dice.random() < 0.5 else [f"{pad}xs[:] = xs[:2]"]

    def _global(self, pad: str, _depth: int, _loops: int) -> list[str]:
        return [f"{pad}total = {self._value()}", f"{pad}t(total)"]

    def _walrus(self, pad: str, _depth: int, _loops: int) -> list[str]:
        return [
            f"{pad}if ({self._name()} := {self._value()}) {self._dice.choice(('and', 'or'))} {self._test()}:",
            f"{pad}    t(1)",
        ]

    def _lambda(self, pad: str, _depth: int, _loops: int) -> list[str]:
        self._count += 1
        function = f"g{self._count}"
        return [
            f"{pad}{function} = lambda: {self._name()}",
            f"{pad}t({function}())",
            *self._assign(pad, 0, 0),
            f"{pad}t({function}())",
        ]

    def _define(self, pad: str, _depth: int, _loops: int) -> list[str]:
        self._count += 1
        function, name = f"g{self._count}", self._name()
        lines = [f"{pad}def {function}(n={self._value()}):"]
        if self._dice.random() < 0.4:
            lines += [f"{pad}    nonlocal {name}", f"{pad}    {name} = n"]
        lines += [f"{pad}    return t(n) + {self._name()}", f"{pad}t({function}())"]
        return [*lines, *self._assign(pad, 0, 0), f"{pad}t({function}(1))"]

    def _comprehend(self, pad: str, _depth: int, _loops: int) -> list[str]:
        inner = self._dice.choice((f"x + {self._name()}", f"t(x) * {self._name()}", f"({self._name()} := x)"))
        form = self._dice.choice(("[{} for x in xs if x]", "list({} for x in xs)", "sum([{} for x in xs])"))
        return [f"{pad}t({form.format(inner)})", f"{pad}{self._name()} = len([x for x in xs])"]

    def _yield(self, pad: str, _depth: int, _loops: int) -> list[str]:
        if not self._is_generator:
            return self._assign(pad, 0, 0)
        return [f"{pad}{self._name()} = yield {self._value()}"]

    def _if(self, pad: str, depth: int, loops: int) -> list[str]:
        lines = [f"{pad}if {self._test()}:", *self._block(depth + 1, loops)]
        if self._dice.random() < 0.3:
            lines += [f"{pad}elif {self._test()}:", *self._block(depth + 1, loops)]
        if self._dice.random() < 0.5:
            lines += [f"{pad}else:", *self._block(depth + 1, loops)]
        return lines

    def _for(self, pad: str, depth: int, loops: int) -> list[str]:
        lines = [f"{pad}for {self._name()} in {self._dice.choice(('xs', 'range(2)', 't(xs)'))}:"]
        lines += self._block(depth + 1, loops + 1)
        return lines + ([f"{pad}else:", *self._block(depth + 1, loops)] if self._dice.random() < 0.2 else [])

    def _while(self, pad: str, depth: int, loops: int) -> list[str]:
        self._loops += 1
        counter = f"k{self._loops}"
        lines = [f"{pad}{counter} = 0", f"{pad}while t({counter}) < 2:", f"{pad}    {counter} += 1"]
        return lines + self._block(depth + 1, loops + 1)

    def _try(self, pad: str, depth: int, loops: int) -> list[str]:
        lines = [f"{pad}try:", *self._block(depth + 1, loops)]
        has_handler = self._dice.random() < 0.8
        if has_handler:
            named = f" as {self._name()}" if self._dice.random() < 0.4 else ""
            lines += [f"{pad}except {self._dice.choice(('ValueError', 'Exception', 'KeyError'))}{named}:"]
            lines += self._block(depth + 1, loops)
            if self._dice.random() < 0.3:
                lines += [f"{pad}else:", *self._block(depth + 1, loops)]
        if not has_handler or self._dice.random() < 0.3:
            lines += [f"{pad}finally:", f"{pad}    t({self._name()})", *self._assign(pad + "    ", 0, 0)]
        return lines

    def _with(self, pad: str, depth: int, loops: int) -> list[str]:
        target = f" as {self._name()}" if self._dice.random() < 0.5 else ""
        return [f"{pad}with Manager({self._dice.random() < 0.5}){target}:", *self._block(depth + 1, loops)]

    def _match(self, pad: str, depth: int, loops: int) -> list[str]:
        inner = pad + "    "
        lines = [f"{pad}match {self._value()}:", f"{inner}case 1 | 2:", *self._block(depth + 2, loops)]
        if self._dice.random() < 0.5:
            lines += [f"{inner}case {self._name()} if {self._test()}:", *self._block(depth + 2, loops)]
        return lines


def program(dice: random.Random) -> str:
    """Return a random module that compiles."""
    while True:
        text = Program(dice).text()
        try:
            compile(text, "made", "exec")
        except SyntaxError:
            continue
        return text


class _Stopped(BaseException):
    """A program that takes too long."""


def _said(value: Any) -> str:
    """Return the log entry of a value; a missing value is an error that contains the name, as in Python."""
    if isinstance(value, NameError):
        return type(value).__name__
    return "function" if callable(value) else repr(value)


def outcome(text: str) -> list[str]:
    """Run a program on every input and return its log, its results, and errors by kind."""
    log: list[str] = []

    def tell(value: Any) -> Any:
        log.append(_said(value))
        if len(log) > MAX_STEPS:
            raise _Stopped
        return value

    code = compile(text, "made", "exec")
    for a, b, xs in INPUTS:
        space: dict[str, Any] = {"t": tell}
        try:
            exec(code, space)  # noqa: S102 - programs that the dice have written above
            log.append(repr(_run(space["f"], a, b, list(xs), log)))
        except _Stopped:
            return [*log, "stopped"]
        except Exception as error:  # noqa: BLE001 - whatever a program raises is its outcome
            log.append(f"raised {type(error).__name__}")
        log.append(f"total {space.get('total')!r}")
    return log


def _run(function: Callable[..., Any], a: int, b: int, xs: list[int], log: list[str]) -> Any:
    result = function(a, b, xs)
    if not hasattr(result, "send"):
        return result
    try:
        log.append(f"yields {next(result)!r}")
        for sent in range(10):
            got = result.send(sent)
            log.append(f"yields {got!r}")
    except StopIteration as end:
        return end.value
    return "unfinished"
