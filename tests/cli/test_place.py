"""A file's bytes become text, and the same bytes again."""

import codecs
from pathlib import Path

import pytest

from spark_lsp.cli.place import decode


@pytest.mark.parametrize("name", ["a.py", "a.ts"])
def test_a_byte_order_mark_is_no_part_of_the_text_and_is_kept(name: str) -> None:
    data = codecs.BOM_UTF8 + "x = 'ü'\r\n".encode()
    text, encoding = decode(data, Path(name))
    assert text == "x = 'ü'\r\n"
    assert text.encode(encoding) == data
