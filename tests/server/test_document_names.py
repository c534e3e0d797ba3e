"""A document is the same however an editor names it, and a file of another machine is none of this one."""

import os
from pathlib import Path

import pytest

from spark_lsp.server.convert import document_key, path_of
from spark_lsp.server.open_documents import OpenDocuments
from spark_lsp.text.snapshot import Snapshot


@pytest.mark.parametrize(
    ("opened", "requested"),
    [
        ("file:///c%3A/shop/a.py", "file:///c:/shop/a.py"),
        ("file:///C:/shop/a.py", "file:///c%3A/shop/a.py"),
        ("file:///shop/a%20b.py", "file:///shop/a b.py"),
        ("file:///shop/%C3%BC%28x%29.py", "file:///shop/ü(x).py"),
    ],
)
def test_two_names_of_one_document(opened: str, requested: str) -> None:
    documents = OpenDocuments()
    documents.put(Snapshot(opened, path_of(opened), 1, "python", "x"))
    snapshot = documents.snapshot(requested)
    assert snapshot is not None
    assert snapshot.uri == opened
    documents.put(Snapshot(requested, path_of(requested), 2, "python", "y"))
    assert len(documents.all()) == 1
    assert documents.drop(opened) is not None
    assert documents.all() == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("file:///shop/a.py", "file:///shop/A.py"),
        ("file:///shop/a.py", "untitled:/shop/a.py"),
        ("untitled:Untitled-1", "untitled:Untitled-2"),
        ("file:///shop/a%23b.py", "file:///shop/a#b.py"),
        ("vscode-notebook-cell:/a.ipynb#W1", "vscode-notebook-cell:/a.ipynb#W2"),
    ],
)
def test_names_of_two_documents(first: str, second: str) -> None:
    assert document_key(first) != document_key(second)


@pytest.mark.skipif(os.name == "nt", reason="Windows has paths for files of other machines")
def test_a_file_of_another_machine_never_stands_for_one_of_this() -> None:
    assert path_of("file://server/share/a.py") is None
    assert path_of("file://localhost/share/a.py") == Path("/share/a.py")
    assert path_of("file:///share/a%20b.py") == Path("/share/a b.py")
