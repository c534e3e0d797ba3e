"""A burst of changed paths ends when it is quiet, and after a while in any case; no path is lost or doubled."""

from hypothesis import given
from hypothesis import strategies as st

from spark_lsp.index.path_burst import PathBurst

QUIET_S = 0.2
MAX_S = 2.0


def burst() -> PathBurst:
    return PathBurst(quiet_s=QUIET_S, longest_s=MAX_S)


def test_each_change_puts_the_end_off_until_the_burst_is_too_long() -> None:
    changes = burst()
    assert changes.due_s is None
    changes.add(["a"], 10.0)
    assert changes.due_s == 10.0 + QUIET_S
    changes.add(["b"], 11.0)
    assert changes.due_s == 11.0 + QUIET_S
    changes.add([], 11.1)
    assert changes.due_s == 11.0 + QUIET_S
    changes.add(["a"], 11.9)
    assert changes.due_s == 10.0 + MAX_S
    assert (changes.take(), changes.due_s, changes.take()) == ({"a", "b"}, None, set())
    changes.add(["c"], 20.0)
    assert changes.due_s == 20.0 + QUIET_S


@given(st.lists(st.tuples(st.floats(0.001, 3.0), st.sets(st.sampled_from("abcd"), max_size=2)), max_size=40))
def test_every_path_is_handed_over_within_the_longest_time(steps: list[tuple[float, set[str]]]) -> None:
    changes, now_s, waiting = burst(), 0.0, dict[str, float]()
    for pause_s, paths in [*steps, (MAX_S, set[str]())]:
        now_s += pause_s
        if changes.due_s is not None and changes.due_s <= now_s:
            end_s = changes.due_s
            taken = changes.take()
            assert taken == set(waiting)
            assert all(end_s - since_s <= MAX_S for since_s in waiting.values())
            waiting = {}
        changes.add(paths, now_s)
        waiting |= dict.fromkeys(paths - waiting.keys(), now_s)
    assert not waiting or changes.due_s is not None
