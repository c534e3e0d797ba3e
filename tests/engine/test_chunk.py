"""A model's text holds no control characters when it reaches completion or code actions."""

from spark_lsp.engine.base import Chunk


def test_controls_are_dropped_and_the_scores_still_fit() -> None:
    chunk = Chunk("a\x1b[31mb\x9b\tc\r\n\x00\u0085d", 4, scores=((2, 0.5), (5, 0.25), (1, 0.9), (8, 0.1)))
    cleaned = chunk.without_controls()
    assert cleaned.text == "a[31mb\tc\r\nd"
    assert cleaned.scores == ((1, 0.5), (5, 0.25), (0, 0.9), (5, 0.1))
    assert sum(characters for characters, _ in cleaned.scores) == len(cleaned.text)


def test_ordinary_text_is_the_same_object() -> None:
    chunk = Chunk("def f():\r\n\treturn 'ü'\n", 3)
    assert chunk.without_controls() is chunk
