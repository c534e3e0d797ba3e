"""Traces keep times and facts, the ring drops the oldest, and a bug raises in tests."""

import pytest

from spark_lsp.trace import RING_RECORDS, Trace, TraceLog, bug


def test_stages_add_up_in_the_order_first_entered() -> None:
    trace = Trace("completion", size=3)
    with trace.stage("gate"):
        pass
    with trace.stage("pack"):
        pass
    with trace.stage("gate"):
        pass
    trace.note(tokens=7)
    record = trace.finish("ok")
    assert list(record.stages_ms) == ["gate", "pack"]
    assert record.facts == {"size": 3, "tokens": 7}
    assert 0 <= sum(record.stages_ms.values()) <= record.total_ms
    assert record.line().startswith("completion ok ")


def test_a_stage_that_raises_is_timed() -> None:
    trace = Trace("completion")
    with pytest.raises(ValueError, match="no"), trace.stage("pack"):
        raise ValueError("no")
    assert trace.stage_ms("pack") > 0
    assert trace.stage_ms("never") == 0


def test_finish_counts_once() -> None:
    trace = Trace("completion")
    assert trace.finish("ok") is trace.finish("cancelled")


def test_the_ring_forgets_the_oldest() -> None:
    log = TraceLog()
    for number in range(RING_RECORDS + 3):
        log.add(Trace(str(number)).finish("ok"))
    assert len(log.records()) == RING_RECORDS
    assert log.records()[0].name == "3"


def test_bug_raises_under_strict_and_logs_otherwise(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SPARK_LSP_STRICT", "1")
    with pytest.raises(AssertionError, match="impossible size=3"):
        bug("impossible", size=3)
    monkeypatch.delenv("SPARK_LSP_STRICT")
    bug("impossible", size=3)
    assert "impossible size=3" in caplog.text
