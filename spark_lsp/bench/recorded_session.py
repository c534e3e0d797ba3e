"""A recorded editing session: the share of each prompt that is cached at the next key, and the time of packing.

Made by rule from a project: lines are taken out of the middle of its longest files and typed back key by key, file by
file and back again. The cached prefix is chosen again at each switch and the index is brought up to date after each
line, as the server does. Ranking is measured apart: it goes on while a request waits whether the user types on. The
same project always gives the same session.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import takewhile
from os.path import commonprefix

from spark_lsp.bench.asking import percentile
from spark_lsp.engine.base import PromptPart, TextPart
from spark_lsp.index.store import Index
from spark_lsp.prompt.token_counts import TokenCounter
from spark_lsp.prompt.workspace_context import WorkspaceContext
from spark_lsp.text.snapshot import Snapshot

VISITS = (0, 1, 0, 2)  # numbers of files: a switch, a switch back, a third file
PLACES = (0.3, 0.6)  # how far down a file its first and its second visit type
BUDGET_TOKENS = 32_768


@dataclass(frozen=True, slots=True)
class Visit:
    """One stay in a file: its text on arrival, the cursor, and what is typed there."""

    path: str
    language: str
    text: str
    offset: int
    typed: str

    def snapshots(self) -> Iterator[tuple[Snapshot, int]]:
        """Yield the document on arrival and after each key, with the cursor."""
        for keys in range(len(self.typed) + 1):
            text = self.text[: self.offset] + self.typed[:keys] + self.text[self.offset :]
            yield Snapshot(f"file:///{self.path}", None, keys, self.language, text), self.offset + keys


def recorded(index: Index, keys: int) -> list[Visit]:
    """Return a session of about so many keys."""
    view = index.view()
    order = sorted(view.files, key=lambda path: (-len(view.files[path].symbols.definitions), path))
    texts = {path: view.files[path].text for path in order[: max(VISITS) + 1]}
    visits = []
    stays = dict.fromkeys(texts, 0)
    for number in VISITS:
        path = order[min(number, len(order) - 1)]
        lines = texts[path].splitlines(keepends=True)
        first = int(len(lines) * PLACES[stays[path]])
        stays[path] += 1
        last = first + 1
        while last < len(lines) - 1 and sum(map(len, lines[first:last])) < keys // len(VISITS):
            last += 1
        offset = sum(map(len, lines[:first]))
        typed = "".join(lines[first:last])
        bare = "".join(lines[:first]) + "".join(lines[last:])
        visits.append(Visit(path, view.files[path].language, bare, offset, typed))
    return visits


@dataclass(slots=True)
class Spent:
    """What a step took at each key, in ms by the clock and of processors."""

    clock_ms: list[float] = field(default_factory=list)
    busy_ms: list[float] = field(default_factory=list)

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Measure the step once."""
        began, worked = time.perf_counter(), time.process_time()
        yield
        self.clock_ms.append((time.perf_counter() - began) * 1000)
        self.busy_ms.append((time.process_time() - worked) * 1000)

    def figures(self, step: str) -> dict[str, float]:
        """Return the step's figures."""
        shares = {"median": 0.5, "p95": 0.95, "most": 1.0}
        clock = {f"{step}_{name}_ms": percentile(self.clock_ms, share) for name, share in shares.items()}
        return clock | {f"{step}_cpu_{name}_ms": percentile(self.busy_ms, share) for name, share in shares.items()}


async def measure_session(
    context: WorkspaceContext, index: Index, counter: TokenCounter, keys: int
) -> dict[str, float]:
    """Type a session and return what share of the prompts' tokens the model had read already, all in percent."""
    context.model.fix_size(BUDGET_TOKENS)
    shares: list[float] = []
    spent = Spent()
    ranking = Spent()
    read = total = whole = 0
    opened: dict[str, None] = {}
    for visit in recorded(index, keys):
        opened[visit.path] = None
        index.update(visit.path, visit.text)
        await context.prefix.rebuild(list(opened))
        context.prefix.assume_resident()
        before: Sequence[PromptPart] = ()
        for snapshot, offset in visit.snapshots():
            if offset > visit.offset and snapshot.text[offset - 1] == "\n":
                index.update(visit.path, snapshot.text)
            with (ranking if before else Spent()).measured():
                prepared = context.prepare(snapshot, offset)
                if prepared:
                    await prepared
            with (spent if before else Spent()).measured():
                packed = await context.pack_for(snapshot, offset)
            if before:
                same = await _tokens_in_common(counter, before, packed.parts)
                shares.append(100 * same / packed.tokens)
                read, total, whole = read + same, total + packed.tokens, max(whole, packed.tokens)
            before = packed.parts
    return {
        "keys": len(shares),
        "prompt_tokens": whole,
        "cached_percent": round(100 * read / total, 2) if total else 0.0,
        "median_percent": percentile(shares, 0.5),
        "p5_percent": percentile(shares, 0.05),
        "lowest_percent": percentile(shares, 0.0),
        **spent.figures("packing"),
        **ranking.figures("ranking"),
    }


async def _tokens_in_common(counter: TokenCounter, first: Sequence[PromptPart], second: Sequence[PromptPart]) -> int:
    """Return how many tokens two prompts begin with alike; of the first piece that differs, one less than it may be."""
    same = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False))))
    pieces = [part.text for part in second[:same] if isinstance(part, TextPart)]
    tokens = same - len(pieces) + sum(await counter.count(pieces))
    if same < min(len(first), len(second)) and isinstance(first[same], TextPart) and isinstance(second[same], TextPart):
        begin = commonprefix([first[same].text, second[same].text])  # noqa: RUF071 - of characters is what is meant
        (alike,) = await counter.count([begin])
        tokens += max(0, alike - 1)
    return tokens
