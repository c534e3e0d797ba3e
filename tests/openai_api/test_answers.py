"""Stops of a client: the same text is sent however the model's answer was cut into chunks."""

from hypothesis import given
from hypothesis import strategies as st

from spark_lsp.openai_api.answers import StopTexts

TEXTS = st.text(alphabet="ab\n", max_size=30)


@given(text=TEXTS, stops=st.lists(st.text(alphabet="ab\n", min_size=1, max_size=4), max_size=3), data=st.data())
def test_what_is_sent_never_depends_on_the_chunks(text: str, stops: list[str], data: st.DataObject) -> None:
    places = [(place + len(stop), place) for stop in stops if (place := text.find(stop)) >= 0]
    expected = text[: min(places)[1]] if places else text
    watch, sent, at = StopTexts(stops), "", 0
    stop = ""
    while at < len(text) and not stop:
        size = data.draw(st.integers(1, len(text) - at))
        part, stop = watch.feed(text[at : at + size])
        sent, at = sent + part, at + size
        assert expected.startswith(sent), "what was sent is never taken back"
    assert sent + ("" if stop else watch.rest()) == expected
    assert bool(stop) == bool(places)
