"""The one helper of this package's tests: a workspace as text in, a packed prompt out."""

from pathlib import Path

from scripts.harness.fixture import parse_fixture
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.prompt.pack import Packed
from tests.support.workspace import TestWorkspace, indexed, snapshot_of


async def packed_for(
    text: str, folder: Path, *, tokens: int = 1000, family: str = "qwen2.5-coder", cached_prefix: bool = True
) -> Packed:
    """Pack the prompt at ``$0`` with a scripted engine's tokenizer."""
    fixture = parse_fixture(text)
    engine = ScriptedEngine(["x"], family=family, fim_order="spm" if family == "qwen2.5-coder" else "psm")
    workspace = TestWorkspace(engine, index=indexed(fixture, folder))
    await engine.start()
    workspace.context.model.fix_size(tokens)
    if cached_prefix:
        await workspace.context.prefix.rebuild([fixture.path])
        workspace.context.prefix.assume_resident()
    return await workspace.context.pack_for(snapshot_of(fixture.path, fixture.text), fixture.offset)


def summary(packed: Packed) -> str:
    """One line a segment: kind, place, first line of the text."""
    rows = []
    for segment in packed.segments:
        first = segment.text.strip().split("\n")[0]
        place = f"{segment.path}:{segment.start_line}-{segment.end_line}" if segment.path else "-"
        rows.append(f"{segment.kind:<10} {place:<18} {first}")
    return "\n".join(rows)
