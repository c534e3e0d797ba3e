"""The cached prefix over time: resident segments stay, prefill goes on in the background, budgets follow the speed."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from itertools import takewhile
from math import log2
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from scripts.harness.fixture import parse_fixture
from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.config import Settings
from spark_lsp.engine.base import Chunk, CompletionRequest, PrefillCost, Usage
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.prompt.budget import CONTEXT_FIRST, WINDOW_FIRST, Budget, Split, budget_for
from spark_lsp.prompt.budget_policy import REPLY_TOKENS
from spark_lsp.prompt.cached_prefix import ELSEWHERE, MAX_READ_AGAIN, keep_what_is_read
from spark_lsp.prompt.prefix_prefill import CACHED_PREFIX_PRIORITY
from spark_lsp.prompt.segment import Segment
from spark_lsp.prompt.token_counts import TokenCounter
from spark_lsp.prompt.window import choose_window
from spark_lsp.text.snapshot import LineTable
from spark_lsp.trace import TraceLog
from spark_lsp.workspace import Workspace
from tests.support.workspace import TestWorkspace, indexed, snapshot_of

WORKSPACE = (
    "".join(f"#- m{n}.py\ndef function_{n}(argument):\n    return {n}\n" for n in range(6)) + "#- main.py\nx = $0\n"
)


async def _rooms(folder: Path) -> tuple[TestWorkspace, ScriptedEngine]:
    engine = ScriptedEngine(["x"])
    workspace = TestWorkspace(engine, index=indexed(parse_fixture(WORKSPACE), folder))
    await engine.start()
    return workspace, engine


async def test_edited_file_moves_to_the_end(tmp_path: Path) -> None:
    workspace, _ = await _rooms(tmp_path)
    await workspace.context.prefix.rebuild(["main.py"])
    before = [segment.path for segment in workspace.context.prefix.segments]
    assert workspace.index is not None
    workspace.index.update("m2.py", "def function_2(argument):\n    return 'changed'\n")
    await workspace.context.prefix.rebuild(["main.py"])
    after = [segment.path for segment in workspace.context.prefix.segments]
    assert after == [path for path in before if path != "m2.py"] + ["m2.py"]


async def test_opened_file_leaves_the_cached_prefix(tmp_path: Path) -> None:
    workspace, _ = await _rooms(tmp_path)
    await workspace.context.prefix.rebuild(["main.py", "m0.py"])
    assert "m0.py" not in [segment.path for segment in workspace.context.prefix.segments]


async def test_warming_reads_the_cached_prefix_and_completions_use_what_is_read(tmp_path: Path) -> None:
    workspace, engine = await _rooms(tmp_path)
    await workspace.context.prefix.rebuild(["main.py"])
    snapshot = snapshot_of("main.py", "x = function_1(\n")
    cold = await workspace.context.pack_for(snapshot, 15)
    assert not any(segment.stable for segment in cold.segments)
    steps: list[tuple[int, int]] = []
    await workspace.context.prefix.warm(lambda done, total: steps.append((done, total)))
    assert steps[-1][0] == steps[-1][1] == workspace.context.prefix.resident_tokens > 0
    assert all(request.max_tokens == 0 and request.priority == CACHED_PREFIX_PRIORITY for request in engine.requests)
    warm = await workspace.context.pack_for(snapshot, 15)
    assert sum(segment.stable and segment.cached for segment in warm.segments) == 6
    read = engine.requests[-1].prompt
    assert warm.parts[: len(read)] == read


class _InPieces(ScriptedEngine):
    """Prefills a cached prefix step by step, and reports after each how much is resident."""

    piece_tokens = 40

    async def generate(self, request: CompletionRequest) -> AsyncGenerator[Chunk]:
        if request.priority == CACHED_PREFIX_PRIORITY:
            whole = sum(await self.count_tokens([part.text for part in request.prompt]))
            for read in range(self.piece_tokens, whole, self.piece_tokens):
                await asyncio.sleep(0)  # others take their turn, as they do beside a real engine
                yield Chunk("", 0, usage=Usage(prompt_tokens=whole, prefill_tokens=read))
        async for chunk in super().generate(request):
            yield chunk


async def _rooms_in_pieces(folder: Path, is_resting: Callable[[], bool] | None = None) -> TestWorkspace:
    files = "".join(f"#- m{n:02}.py\ndef function_{n}(argument):\n    return {n}\n" for n in range(60))
    index = indexed(parse_fixture(files + "#- main.py\nx = $0\n"), folder)
    workspace = TestWorkspace(_InPieces([""]), index=index, is_resting=is_resting, look_again_s=0.0)
    await workspace.engine.start()
    await workspace.context.prefix.rebuild(["main.py"])
    return workspace


async def test_a_cached_prefix_that_is_being_read_is_shown_in_few_steps(tmp_path: Path) -> None:
    workspace = await _rooms_in_pieces(tmp_path)
    read, shown = [], []

    def tell(done: int, _of: int) -> None:
        read.append(done)
        shown.append(workspace.context.digest)

    await workspace.context.prefix.warm(tell)
    pieces = len(set(read) - {0})
    steps = len(dict.fromkeys(shown))
    assert pieces > 20
    assert steps <= log2(pieces) + 3
    packed = await workspace.context.pack_for(snapshot_of("main.py", "x = "), 4)
    assert sum(segment.stable for segment in packed.segments) == 60  # all of it in the end


class _Typist:
    """Types until told to rest; after so many looks of others they rest by themselves."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    def is_resting(self) -> bool:
        self.looks -= 1
        return self.looks < 0


async def test_while_the_user_types_no_key_has_to_read_its_window_behind_more_of_a_cached_prefix(
    tmp_path: Path,
) -> None:
    typist = _Typist(10_000)
    context = (await _rooms_in_pieces(tmp_path, typist.is_resting)).context
    context.learn(Usage(prefill_cost=PrefillCost(5.0, 0.1)))  # a window takes two seconds
    shown: list[str] = []
    await context.prefix.warm(lambda _done, _of: shown.append(context.digest))
    assert len(set(shown)) == 2, "nothing, and the first piece"
    typist.looks = 5
    await context.prefix.show_all()
    packed = await context.pack_for(snapshot_of("main.py", "x = "), 4)
    assert sum(segment.stable for segment in packed.segments) == 60


async def test_where_reading_a_window_is_quick_more_of_a_cached_prefix_is_shown_at_any_key(tmp_path: Path) -> None:
    workspace = await _rooms_in_pieces(tmp_path, lambda: False)
    workspace.context.learn(Usage(prefill_cost=PrefillCost(0.01, 0.0)))
    await workspace.context.prefix.warm()
    packed = await workspace.context.pack_for(snapshot_of("main.py", "x = "), 4)
    assert sum(segment.stable for segment in packed.segments) == 60


async def test_a_resting_cursor_is_read_for_again_when_prompts_show_another_part_of_the_cached_prefix(
    tmp_path: Path,
) -> None:
    workspace = await _rooms_in_pieces(tmp_path)
    engine, context, recent = workspace.engine, workspace.context, workspace.recent
    whole = Workspace(
        None,
        engine,
        workspace.index,
        recent,
        context,
        workspace.completer,
        workspace.cursor_prefetch,
        workspace.actions,
        TraceLog(),
        Settings(),
    )
    steps: list[str] = []
    third = asyncio.Event()

    def tell(_done: int, _of: int) -> None:
        if context.digest not in steps:
            steps.append(context.digest)
            if len(steps) == 3:
                third.set()

    workspace.cursor_prefetch.look(CursorContext(snapshot_of("main.py", "x = "), 4))
    warming = await whole.rebuild_cached_prefix(["main.py"], tell)
    assert warming is not None
    before = workspace.cursor_prefetch._task
    await third.wait()
    await asyncio.sleep(0)  # the step is told before the new reading begins
    assert not warming.done()
    assert workspace.cursor_prefetch._task is not before
    await warming
    await whole.stop_generating()


def _segments(*sizes: tuple[str, int]) -> list[Segment]:
    return [Segment(name, name, "signature", "", stable=True, tokens=tokens) for name, tokens in sizes]


def _names(segments: Sequence[Segment]) -> str:
    return " ".join(segment.path for segment in segments)


def test_what_would_be_chosen_otherwise_makes_way_at_the_end_only() -> None:
    old = _segments(*((name, 10) for name in "abcdefghij"))
    chosen = _segments(*((name, 10) for name in "acdeghijxy"))  # b and f are no longer chosen, x and y are
    assert _names(keep_what_is_read(old, old, chosen, 120)) == "a b c d e f g h i j x y", "all fits"
    assert _names(keep_what_is_read(old, old, chosen, 110)) == "a b c d e f g h i j x", "nothing at the end makes way"
    chosen = _segments(*((name, 10) for name in "abcdefghjx"))
    assert _names(keep_what_is_read(old, old, chosen, 100)) == "a b c d e f g h j x", "i is near the end"


def test_in_another_part_of_the_workspace_a_cached_prefix_is_chosen_again() -> None:
    old = _segments(*((name, 10) for name in "abcdef"))
    chosen = _segments(*((name, 10) for name in "xbywzf"))
    assert _names(keep_what_is_read(old, old, chosen, 60)) == "b f x y w z"


def test_behind_a_file_that_was_opened_the_choice_holds() -> None:
    old = _segments(*((name, 10) for name in "abcdef"))
    right = [segment for segment in old if segment.path != "c"]
    chosen = _segments(*((name, 10) for name in "faexy"))
    assert _names(keep_what_is_read(old, right, chosen, 60)) == "a b f e x y"


NAMES = st.lists(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), unique=True, max_size=20)


@given(NAMES, NAMES, st.sets(st.sampled_from("abcdefghijklmnopqrstuvwxyz")), st.integers(1, 400), st.data())
def test_what_is_read_mostly_stays_and_the_budget_always_holds(
    old_names: list[str], new_names: list[str], gone: set[str], budget: int, data: st.DataObject
) -> None:
    sizes = {name: data.draw(st.integers(1, 40)) for name in {*old_names, *new_names}}
    old = _segments(*((name, sizes[name]) for name in old_names))
    right = [segment for segment in old if segment.path not in gone]
    chosen, used = [], 0
    for name in new_names:
        if name not in gone and used + sizes[name] <= budget:
            chosen.append(name)
            used += sizes[name]
    kept = keep_what_is_read(old, right, _segments(*((name, sizes[name]) for name in chosen)), budget)
    names = [segment.path for segment in kept]
    assert len(set(names)) == len(names)
    assert not gone.intersection(names)
    assert sum(sizes[name] for name in names) <= budget
    assert set(names) <= {*chosen, *old_names}
    intact = [name for name, _ in takewhile(lambda pair: pair[0] == pair[1].path, zip(old_names, right, strict=False))]
    while sum(sizes[name] for name in intact) > budget:
        intact.pop()
    held = sum(sizes[name] for name in intact)
    if sum(sizes[name] for name in intact if name in chosen) >= ELSEWHERE * held:
        same = takewhile(lambda pair: pair[0] == pair[1], zip(names, intact, strict=False))
        assert sum(sizes[name] for name, _ in same) >= (1 - MAX_READ_AGAIN) * held


async def test_another_file_makes_little_of_a_large_workspace_be_read_again(tmp_path: Path) -> None:
    files = "".join(
        f"#- m{n:03}.py\nimport m{(n + 1) % 100:03}\ndef function_{n}(first, second):\n    return m{(n + 1) % 100:03}\n"
        for n in range(100)
    )
    workspace = TestWorkspace(
        ScriptedEngine(["x"]), index=indexed(parse_fixture(files + "#- main.py\nx = $0\n"), tmp_path)
    )
    await workspace.engine.start()
    context = workspace.context
    context.model.fix_size(3000)
    await context.prefix.rebuild(["m010.py"])
    context.prefix.assume_resident()
    whole = context.prefix.resident_tokens
    for path in ("m011.py", "m012.py", "m013.py"):
        await context.prefix.rebuild(["m010.py", path])
        assert context.prefix.resident_tokens >= (1 - MAX_READ_AGAIN) * whole * 0.9, path  # the opened file itself goes
        context.prefix.assume_resident()


async def test_lost_engine_has_read_nothing(tmp_path: Path) -> None:
    workspace, _ = await _rooms(tmp_path)
    await workspace.context.prefix.rebuild([])
    workspace.context.prefix.assume_resident()
    workspace.context.prefix.engine_lost()
    assert workspace.context.prefix.resident_tokens == 0


def _budget_at(tokens_per_s: float, split: Split = WINDOW_FIRST) -> Budget:
    return budget_for(
        ceiling_tokens=131_072,
        context_tokens=131_072,
        reply_tokens=512,
        prefill_cost=PrefillCost(1000 / tokens_per_s, 10 / tokens_per_s),
        first_token_target_ms=300,
        split=split,
    )


def test_budget_follows_measured_speed() -> None:
    slow, fast = _budget_at(100), _budget_at(1e5)
    assert slow.total_tokens < fast.total_tokens == 131_072 - 512
    assert slow.total_tokens - slow.cached_prefix_tokens == WINDOW_FIRST.min_volatile_tokens


def test_a_model_that_gains_from_context_gets_it_on_a_slow_machine_too() -> None:
    slow, fast = _budget_at(100, CONTEXT_FIRST), _budget_at(1e5, CONTEXT_FIRST)
    assert (slow.prefix_tokens, slow.suffix_tokens, slow.snippet_tokens) == (192, 61, 515)
    assert fast.snippet_tokens > 0.6 * (fast.total_tokens - fast.cached_prefix_tokens)


COSTS = st.floats(0, 1e3)
SPLITS = st.sampled_from([WINDOW_FIRST, CONTEXT_FIRST])


@given(
    st.integers(64, 200_000), st.integers(2048, 200_000), COSTS, COSTS, st.integers(20, 10_000), st.booleans(), SPLITS
)
def test_budget_parts_never_exceed_the_whole(
    ceiling: int, cells: int, base_ms: float, slope_ms: float, target_ms: int, is_patient: bool, split: Split
) -> None:
    budget = budget_for(
        ceiling_tokens=ceiling,
        context_tokens=cells,
        reply_tokens=512,
        prefill_cost=PrefillCost(base_ms, slope_ms),
        first_token_target_ms=target_ms,
        is_patient=is_patient,
        split=split,
    )
    parts = (budget.cached_prefix_tokens, budget.snippet_tokens, budget.prefix_tokens, budget.suffix_tokens)
    assert min(parts) >= 0
    assert sum(parts) <= budget.total_tokens <= min(ceiling, cells - 512)


def test_a_resident_cached_prefix_outlives_a_busy_moment() -> None:
    busy = {"ceiling_tokens": 131_072, "context_tokens": 131_072, "reply_tokens": 512, "first_token_target_ms": 300}
    fresh = budget_for(**busy, prefill_cost=PrefillCost(1.0, 0.1))
    resident = budget_for(**busy, prefill_cost=PrefillCost(1.0, 0.1), resident_tokens=20_000)
    assert fresh.cached_prefix_tokens < resident.cached_prefix_tokens == 20_000
    hopeless = budget_for(**busy, prefill_cost=PrefillCost(10.0, 1.0), resident_tokens=20_000)
    assert hopeless.cached_prefix_tokens < 4_096


@given(base_ms=st.floats(2.0, 50.0), slope_ms=st.floats(0.01, 2.0), factor=st.floats(1.0, 50.0))
def test_a_slow_machine_that_gets_busy_keeps_what_is_resident(base_ms: float, slope_ms: float, factor: float) -> None:
    sizes = {"ceiling_tokens": 131_072, "context_tokens": 131_072, "reply_tokens": 512, "first_token_target_ms": 300}
    resident = budget_for(**sizes, prefill_cost=PrefillCost(base_ms, slope_ms)).cached_prefix_tokens
    busy_cost = PrefillCost(base_ms * factor, slope_ms * factor)
    assert budget_for(**sizes, prefill_cost=busy_cost, resident_tokens=resident).cached_prefix_tokens >= resident


async def test_window_edges_stay_while_typing() -> None:
    engine = ScriptedEngine([])
    await engine.start()
    counter = TokenCounter(engine)
    lines = [f"value_{n} = compute({n})" for n in range(200)]
    edges = set()
    for typed in ("", "r", "re", "res", "result", "result = value_1 + value_2"):
        text = "\n".join([*lines[:100], typed, *lines[100:]])
        offset = len("\n".join([*lines[:100], typed]))
        window = await choose_window(counter, text, LineTable.of(text), offset, prefix_tokens=300, suffix_tokens=100)
        edges.add((window.prefix.start, window.suffix.end - offset))
        assert window.prefix_tokens <= 300
        assert window.suffix_tokens <= 100
    assert len(edges) == 1


async def test_a_report_may_be_longer_than_the_engine_holds_and_a_prompt_may_not(tmp_path: Path) -> None:
    workspace, _ = await _rooms(tmp_path)
    assert workspace.engine.model is not None
    held = workspace.engine.model.context_tokens
    workspace.context.model.fix_size(2 * held)
    assert workspace.context.budget().total_tokens == held - REPLY_TOKENS
    assert workspace.context.budget(3 * held).total_tokens == 3 * held
    workspace.context.model.fix_size(2 * held, is_report=True)
    assert workspace.context.budget().total_tokens == 2 * held


async def test_a_rate_is_learnt_from_long_reads_only(tmp_path: Path) -> None:
    workspace, _ = await _rooms(tmp_path)
    guess = workspace.context.budget()
    workspace.context.learn(Usage(prefill_tokens=10, first_token_ms=1000.0))
    assert workspace.context.budget() == guess
    workspace.context.learn(Usage(prefill_tokens=1000, first_token_ms=100.0))
    assert workspace.context.budget().snippet_tokens > guess.snippet_tokens


async def test_a_wavering_cost_does_not_change_the_prompt(tmp_path: Path) -> None:
    workspace, _ = await _rooms(tmp_path)
    workspace.context.learn(Usage(prefill_cost=PrefillCost(0.05, 0.01)))
    budget = workspace.context.budget()
    for factor in (0.9, 1.1, 0.8, 1.25):
        workspace.context.learn(Usage(prefill_cost=PrefillCost(0.05 * factor, 0.01 * factor)))
        assert workspace.context.budget() == budget
    workspace.context.learn(Usage(prefill_cost=PrefillCost(0.1, 0.02)))
    assert workspace.context.budget() != budget


async def test_empty_files_do_not_keep_a_small_workspace_from_being_shown_whole(tmp_path: Path) -> None:
    engine = ScriptedEngine(["x"])
    files = "#- pkg/__init__.py\n#- pkg/a.py\ndef alpha(x):\n    return x\n#- main.py\nx = $0\n"
    workspace = TestWorkspace(engine, index=indexed(parse_fixture(files), tmp_path))
    await engine.start()
    await workspace.context.prefix.rebuild(["main.py"])
    assert [(segment.path, segment.kind) for segment in workspace.context.prefix.segments] == [("pkg/a.py", "file")]
