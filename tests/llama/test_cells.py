"""The mirror: what of a prompt is resident."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spark_lsp.llama.kv.cells import Cells, KvMirror, TokenRun, TokenSegment

SMALL = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=4), max_size=5)


def segments_of(parts: list[list[int]]) -> list[TokenSegment]:
    return [TokenSegment(repr(part).encode(), np.array(part, np.int32)) for part in parts]


def flat(parts: list[list[int]]) -> list[int]:
    return [token for part in parts for token in part]


def common(left: list[int], right: list[int]) -> int:
    for at, (first, second) in enumerate(zip(left, right, strict=False)):
        if first != second:
            return at
    return min(len(left), len(right))


@given(first=SMALL, generated=st.lists(st.integers(0, 2), max_size=4), second=SMALL, cut=st.integers(0, 30))
def test_common_is_the_longest_common_prefix(
    first: list[list[int]], generated: list[int], second: list[list[int]], cut: int
) -> None:
    mirror = KvMirror(Cells(64))
    run, other_run = TokenRun(segments_of(first)), TokenRun(segments_of(second))
    mirror.append(run.tokens)
    mirror.name(run)
    mirror.append(np.array(generated, np.int32))
    resident = flat(first) + generated
    assert mirror.common(other_run) == common(resident, flat(second))
    mirror.truncate(min(cut, len(mirror)))
    assert mirror.tokens.tolist() == resident[:cut]
    assert mirror.common(other_run) == common(resident[:cut], flat(second))
    assert mirror.common(run) == min(cut, len(flat(first)), len(resident))


def test_naming_a_prompt_that_is_not_all_resident_names_what_is() -> None:
    mirror = KvMirror(Cells(8))
    mirror.append(np.array([1, 2, 3], np.int32))
    prompt = TokenRun(segments_of([[1, 2], [3, 4]]))
    mirror.name(prompt)
    assert mirror.common(prompt) == 3


def test_the_stable_part_of_a_run_ends_where_its_last_stable_segment_does() -> None:
    segments = segments_of([[1, 2], [3], [4, 5]])
    assert [TokenRun(segments, stable=count).stable_tokens for count in range(4)] == [0, 2, 3, 5]
    assert len(TokenRun([])) == 0


STEPS = st.lists(
    st.tuples(st.sampled_from(["append", "cut", "share"]), st.integers(0, 2), st.integers(0, 9)), max_size=30
)


@given(steps=STEPS)
def test_shared_cells_are_always_counted_once(steps: list[tuple[str, int, int]]) -> None:
    cells = Cells(200)
    mirrors = [KvMirror(cells) for _ in range(3)]
    held: list[list[tuple[int, int]]] = [[], [], []]  # token, and a number of its own for each token that was decoded
    decoded = 0
    for kind, at, size in steps:
        if kind == "append" and size <= cells.free:
            mirrors[at].append(np.full(size, at, np.int32))
            held[at] += [(at, decoded + number) for number in range(size)]
            decoded += size
        elif kind == "cut":
            mirrors[at].truncate(min(size, len(held[at])))
            held[at] = held[at][:size]
        elif kind == "share":
            neighbour = (at + 1) % 3
            end = min(size, len(held[neighbour]))
            same = min(mirrors[at].same_as(mirrors[neighbour]), end)
            mirrors[at].truncate(same)
            mirrors[at].extend_from(mirrors[neighbour], end)
            held[at] = held[at][:same] + held[neighbour][same:end]
        assert cells.capacity - cells.free == len({place for run in held for place in run})
        assert [mirror.tokens.tolist() for mirror in mirrors] == [[token for token, _ in run] for run in held]
