"""The confidence required after rejections: it rises in steps up to a limit, until a suggestion is accepted."""

from hypothesis import given
from hypothesis import strategies as st

from spark_lsp.completion.next_line_prefetch import accepted
from spark_lsp.completion.rejection_backoff import (
    FADES_S,
    FREE,
    MAX_RAISED,
    MAX_RISE,
    RejectionBackoff,
    RejectionStreak,
    threshold,
)
from spark_lsp.engine.testing import ScriptedEngine
from tests.completion.check import cursor_of
from tests.support.workspace import TestWorkspace

CHANCES = st.floats(0, 1)
STREAKS = st.builds(RejectionStreak, st.integers(0, 100), st.floats(0, 10_000))
DOCUMENTS = st.sampled_from(["a", "b"])
EVENTS = st.lists(st.tuples(st.sampled_from(["rejected", "accepted", "forget"]), DOCUMENTS, st.integers(0, 900)))


@given(CHANCES, STREAKS)
def test_the_threshold_stays_between_the_setting_and_the_ceiling(plain: float, streak: RejectionStreak) -> None:
    raised = threshold(plain, streak, manual=False)
    assert plain <= raised <= max(plain, min(plain + MAX_RISE, MAX_RAISED))
    assert raised <= threshold(plain, RejectionStreak(streak.rejections + 1), manual=False)
    assert raised == plain or streak.rejections > FREE


@given(CHANCES, STREAKS)
def test_who_asks_by_hand_is_never_affected(plain: float, streak: RejectionStreak) -> None:
    assert threshold(plain, streak, manual=True) == threshold(plain, RejectionStreak(), manual=True) == 0


@given(STREAKS)
def test_who_wants_to_see_all_sees_all(streak: RejectionStreak) -> None:
    assert threshold(0, streak, manual=False) == 0


@given(EVENTS, CHANCES, DOCUMENTS)
def test_an_acceptance_always_restores(events: list[tuple[str, str, int]], plain: float, uri: str) -> None:
    backoff, now_s = RejectionBackoff(), 0.0
    for event, document, passed_s in events:
        now_s += passed_s
        if event == "rejected":
            backoff.rejected(document, now_s)
        else:
            (backoff.accepted if event == "accepted" else backoff.forget)(document)
    others = {other_uri: backoff.streak(other_uri, now_s) for other_uri in ("a", "b") if other_uri != uri}
    assert backoff.streak(uri, now_s + FADES_S) == RejectionStreak()
    backoff.accepted(uri)
    assert threshold(plain, backoff.streak(uri, now_s), manual=False) == plain
    assert {other_uri: backoff.streak(other_uri, now_s) for other_uri in others} == others


async def test_rejections_in_a_row_make_suggestions_pickier_until_one_is_accepted() -> None:
    engine = ScriptedEngine(
        lambda request: f"area({len(engine.requests)}, 2)", probability=lambda token: 0.4 if token == "area" else 1.0
    )
    workspace = TestWorkspace(engine)
    cursors = [cursor_of(f"def area(w, h):\n    return w * h\n\n\nvalue{number} = $0\n") for number in range(5)]
    asked_for = []
    for cursor in cursors[:4]:
        answer = await workspace.completer.complete(cursor, manual=False)
        assert answer.suggestion is not None
        asked_for.append(workspace.log[-1].facts.get("min_confidence", 0.2))
        workspace.completer.dismissed(answer.suggestion.id)
        workspace.completer.dismissed(answer.suggestion.id)  # reported twice, counted once
    assert asked_for == [0.2, 0.2, 0.3, 0.4]
    assert (await workspace.completer.complete(cursors[4], manual=False)).reason == "trimmed.confidence"
    facts = workspace.log[-1].facts
    assert (facts["rejections_in_a_row"], facts["min_confidence"]) == (4, 0.5)
    by_hand = await workspace.completer.complete(cursors[4], manual=True)
    assert by_hand.suggestion is not None
    workspace.completer.accepted(by_hand.suggestion.id)
    after = accepted(cursors[4], by_hand.suggestion.text + "\nother = ", 0)
    assert (await workspace.completer.complete(after, manual=False)).reason == "ok"
    assert "min_confidence" not in workspace.log[-1].facts
    await workspace.completer.close()
