"""Find the files that a file of a view imports, cached while both are unchanged."""

from collections import OrderedDict
from collections.abc import Sequence

from spark_lsp.index.parse.imports import imported_files
from spark_lsp.index.storage.view import IndexView

KEPT = 4096


class _VisibleFiles:
    """The last answers, by path."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[str, object, int, tuple[str, ...]]] = OrderedDict()

    def of(self, view: IndexView, path: str, language: str) -> tuple[str, ...]:
        """Return the files that a file's imports name; of one that is not indexed, those of its package."""
        entry = view.files.get(path)
        if entry is None:
            return imported_files(view.files, path, language, (), _Folders(view))
        held = self._kept.get(path)
        if held and held[0] == entry.content_hash and held[1] is view.postings and held[2] == len(view.files):
            return held[3]
        files = imported_files(view.files, path, entry.language, entry.symbols.imports, _Folders(view))
        self._kept[path] = (entry.content_hash, view.postings, len(view.files), files)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return files


def visible_files(view: IndexView, path: str, language: str) -> tuple[str, ...]:
    """Return the files that a file's imports name, and those of its package; at most ``resolve.FILES_MOST``."""
    return _VISIBLE.of(view, path, language)


class _Folders:
    """Files by folder, of the last build of the tables."""

    def __init__(self, view: IndexView) -> None:
        self._postings = view.postings

    def __call__(self, folder: str) -> Sequence[str]:
        """Return the files right in a folder."""
        numbers = self._postings.folders.get(folder)
        return [] if numbers is None else [self._postings.paths[number] for number in numbers.tolist()]


_VISIBLE = _VisibleFiles()
