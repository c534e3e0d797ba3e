"""The helper of this package's tests: before, the model's answer, after."""

import asyncio
import re
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from pathlib import Path

import msgspec

from scripts.harness.fixture import parse_fixture
from spark_lsp.completion.answer import CompletionAnswer
from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.completion.postprocess.confidence import Scores
from spark_lsp.completion.selected_item import behind_item
from spark_lsp.config import CompletionSettings
from spark_lsp.engine.base import Chunk, CompletionRequest
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.text.edit import apply_edits
from tests.support.workspace import FAST, TestWorkspace, snapshot_of

SURE, UNSURE = 0.99, 0.05


class ScoredEngine(ScriptedEngine):
    """Answers with one text, unsure of some tokens, or with the given scores."""

    def __init__(self, text: str, chunk_chars: int, scores: Scores, unsure: Collection[str]) -> None:
        super().__init__([text], chunk_chars, probability=lambda token: UNSURE if token in unsure else SURE)
        ends = [end for end, _ in scores]
        self._scores = tuple((end - start, chance) for start, (end, chance) in zip([0, *ends], scores, strict=False))

    async def generate(self, request: CompletionRequest) -> AsyncGenerator[Chunk]:
        """Stream the answer."""
        async with aclosing(super().generate(request)) as chunks:
            async for chunk in chunks:
                yield msgspec.structs.replace(chunk, scores=self._scores) if self._scores and chunk.text else chunk


def cursor_of(text: str, path: str = "main.py") -> CursorContext:
    """The cursor at ``$0``."""
    fixture = parse_fixture(text, default_path=path)
    return CursorContext(snapshot_of(fixture.path, fixture.text), fixture.offset)


def chosen(
    before: str, selected: str, over: str | None = None, behind: str = "", path: str = "main.py"
) -> CursorContext:
    """The cursor at ``$0`` with a selected item that replaces the begun word, or ``over`` and ``behind``."""
    cursor = cursor_of(before, path)
    begun = re.search(r"\w*$", cursor.line_prefix)
    over = over if over is not None else begun[0] if begun else ""
    assert cursor.prefix.endswith(over)
    assert cursor.suffix.startswith(behind)
    return behind_item(cursor, cursor.offset - len(over), cursor.offset + len(behind), selected)


def inserted(cursor: CursorContext, answer: CompletionAnswer) -> str:
    """Return the document after accepting."""
    suggestion = answer.suggestion
    return apply_edits(cursor.document.text, [cursor.edit(suggestion.text, suggestion.replaced)] if suggestion else [])


async def completed(
    before: str,
    model: str,
    *,
    path: str = "main.py",
    manual: bool = False,
    chunk_chars: int = 4,
    settings: CompletionSettings = FAST,
    unsure: Collection[str] = (),
    unknown: Collection[str] = (),
    selected: str = "",
    over: str | None = None,
    behind: str = "",
    scores: Scores = (),
) -> tuple[CursorContext, CompletionAnswer]:
    """Run the whole pipeline with a model that answers ``model``, unsure of some tokens; some names are unknown."""
    workspace = TestWorkspace(
        ScoredEngine(model, chunk_chars, scores, unsure),
        settings=settings,
        is_known_name=lambda name: name not in unknown,
    )
    cursor = chosen(before, selected, over, behind, path) if selected else cursor_of(before, path)
    answer = await workspace.completer.complete(cursor, manual=manual)
    await workspace.completer.close()
    return cursor, answer


async def check_completion(
    *,
    before: str,
    model: str,
    after: str,
    reason: str = "ok",
    path: str = "main.py",
    manual: bool = False,
    unsure: Collection[str] = (),
    unknown: Collection[str] = (),
    selected: str = "",
    over: str | None = None,
    behind: str = "",
    scores: Scores = (),
    confidence: float = FAST.min_confidence,
) -> None:
    """The document after accepting must be ``after`` for every chunk size.

    With unsure tokens or scores the whole answer arrives at once, because chunks would cut tokens differently.
    """
    for chunk_chars in (1000,) if unsure or scores else (1, 3, 1000):
        cursor, answer = await completed(
            before,
            model,
            path=path,
            manual=manual,
            chunk_chars=chunk_chars,
            unsure=unsure,
            unknown=unknown,
            settings=msgspec.structs.replace(FAST, min_confidence=confidence),
            selected=selected,
            over=over,
            behind=behind,
            scores=scores,
        )
        assert (inserted(cursor, answer), answer.reason) == (after.replace("$0", ""), reason)


def read_case(path: Path) -> dict[str, str]:
    """Read a case file: sections ``=== name`` of before, model, after, and optionally path, reason and manual.

    ``unsure`` lists tokens of which the model is not sure, ``unknown`` names that the workspace does not have.
    ``selected`` is chosen in the menu; it replaces the begun word, or ``over`` before the cursor and ``behind`` after.
    ``scores`` lists where each token ends and its probability, ``confidence`` is the chance that is asked for.
    """
    sections: dict[str, str] = {}
    for block in path.read_text("utf-8").split("=== ")[1:]:
        name, _, body = block.partition("\n")
        sections[name.strip()] = body.removesuffix("\n")
    return sections


async def check_case(path: Path) -> None:
    """Run a case file."""
    case = read_case(path)
    await check_completion(
        before=case["before"],
        model=case["model"],
        after=case["after"],
        reason=case.get("reason", "ok"),
        path=case.get("path", "main.py"),
        manual="manual" in case,
        unsure=case.get("unsure", "").split(),
        unknown=case.get("unknown", "").split(),
        selected=case.get("entry", ""),
        over=case.get("over"),
        behind=case.get("behind", ""),
        scores=[(int(end), float(chance)) for end, chance in map(_pair, case.get("scores", "").split())],
        confidence=float(case.get("confidence", FAST.min_confidence)),
    )


def _pair(score: str) -> tuple[str, str]:
    end, _, chance = score.partition(":")
    return end, chance


async def settle() -> None:
    """Let every ready task run once."""
    await asyncio.sleep(0)
