"""The mirror: what of a prompt is resident."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spark_lsp.llama.cache import Mirror, Segment

SMALL = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=4), max_size=5)


def segments_of(parts: list[list[int]]) -> list[Segment]:
    return [Segment(repr(part).encode(), np.array(part, np.int32)) for part in parts]


def flat(parts: list[list[int]]) -> list[int]:
    return [token for part in parts for token in part]


def common(left: list[int], right: list[int]) -> int:
    for at, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            return at
    return min(len(left), len(right))


@given(first=SMALL, generated=st.lists(st.integers(0, 2), max_size=4), second=SMALL, cut=st.integers(0, 30))
def test_common_is_the_longest_common_prefix(
    first: list[list[int]], generated: list[int], second: list[list[int]], cut: int
) -> None:
    mirror = Mirror(64)
    for segment in segments_of(first):
        mirror.append(segment.tokens)
    mirror.name(segments_of(first))
    mirror.append(np.array(generated, np.int32))
    resident = flat(first) + generated
    assert mirror.common(segments_of(second)) == common(resident, flat(second))
    mirror.truncate(min(cut, len(mirror)))
    assert mirror.tokens.tolist() == resident[:cut]
    assert mirror.common(segments_of(second)) == common(resident[:cut], flat(second))
    assert mirror.common(segments_of(first)) == min(cut, len(flat(first)), len(resident))


def test_naming_a_prompt_that_is_not_all_resident_names_what_is() -> None:
    mirror = Mirror(8)
    mirror.append(np.array([1, 2, 3], np.int32))
    prompt = segments_of([[1, 2], [3, 4]])
    mirror.name(prompt)
    assert mirror.common(prompt) == 3
