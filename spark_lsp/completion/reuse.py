"""Answers without the model: the rest of a suggestion that was typed through, or the same request again.

A result is kept under everything it depends on. Never offers a text where the user has rejected it, nor, unless asked
by hand, a shorter or longer form of it.
"""

from collections import OrderedDict
from dataclasses import dataclass, replace

from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.completion.rejection import Rejection
from spark_lsp.completion.typed_through import typed_through
from spark_lsp.text.snapshot import content_hash

KEPT_RESULTS = 200
KEPT_REJECTIONS = 200


@dataclass(frozen=True, slots=True)
class Result:
    """A finished answer: the cursor's text around it, what to insert and how much after the cursor that replaces."""

    uri: str
    prefix: str
    suffix: str
    text: str
    replaced: int
    settings_key: str
    """Names the model, the cached prefix and the settings that the text depends on."""
    id: int = 0
    """The suggestion that it was offered as, so that its rest is the same one to the feedback; 0: not offered yet."""
    behind_item: bool = False
    """Whether the text around the cursor contains an item that is only selected in the editor's menu."""

    def rest(self, cursor: CursorContext) -> tuple[str, int]:
        """Return its rest at a cursor, and how much after the cursor the rest replaces; empty without one."""
        rest, replaced = typed_through(self.prefix, self.suffix, self.text, self.replaced, cursor)
        return ("", 0) if cursor.renames(rest) else (rest, replaced)


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is kept of an older result: not the document around it, which its key names."""

    uri: str
    text: str
    replaced: int


class Reuse:
    """The results of the last requests, newest last, per server."""

    def __init__(self) -> None:
        self._results: OrderedDict[str, _Kept] = OrderedDict()
        self._newest: dict[str, Result] = {}
        self._next: dict[str, Result] = {}
        """What would follow once the newest suggestion is accepted."""
        self._chosen: dict[str, Result] = {}
        """The newest answer after a menu item. It does not replace the newest answer of the document as it is."""
        self._rejected: OrderedDict[Rejection, None] = OrderedDict()

    def store(self, result: Result, *, is_next: bool = False) -> None:
        """Keep a result; ``is_next``: it would follow the newest suggestion."""
        held = self._next if is_next else self._chosen if result.behind_item else self._newest
        held[result.uri] = result
        self._keep(result)

    def look_up(self, cursor: CursorContext, settings_key: str, *, exact: bool = False) -> Result | None:
        """Return what can be shown without asking: the rest of the newest suggestion, or the same question's answer.

        ``exact``: only what was made under these very settings.
        """
        uri = cursor.snapshot.uri
        for held in (self._newest, self._next, self._chosen):
            result = held.get(uri)
            if result is None or (exact and result.settings_key != settings_key):
                continue
            rest, replaced = result.rest(cursor)
            if rest:
                if held is not self._newest and cursor.selected is None:  # the selected item was accepted
                    self._newest[uri] = replace(held.pop(uri), behind_item=False)
                return replace(result, prefix=cursor.prefix, suffix=cursor.suffix, text=rest, replaced=replaced)
        kept = self._results.get(_key(uri, cursor.prefix, cursor.suffix, settings_key))
        if kept is None or cursor.renames(kept.text):
            return None
        return Result(uri, cursor.prefix, cursor.suffix, kept.text, kept.replaced, settings_key)

    def offered(self, cursor: CursorContext, suggestion_id: int) -> None:
        """Note under which number the newest result is on the screen."""
        uri = cursor.snapshot.uri
        held = self._chosen if cursor.selected else self._newest
        newest = held.get(uri)
        if newest and not newest.id and newest.rest(cursor)[0]:
            held[uri] = replace(newest, id=suggestion_id)

    def changed(self, cursor: CursorContext) -> None:
        """Notice a change: a suggestion that is being erased is not wanted, and is not offered there again."""
        newest = self._newest.get(cursor.snapshot.uri)
        if newest is None or len(cursor.prefix) >= len(newest.prefix) or not newest.prefix.startswith(cursor.prefix):
            return
        if "\n" not in newest.prefix[len(cursor.prefix) :]:  # an edit farther up has nothing to do with it
            self.reject(newest)

    def reject(self, result: Result) -> None:
        """Never offer this text in its place again."""
        self._rejected[Rejection.of(result.uri, result.prefix, result.text)] = None
        self._newest.pop(result.uri, None)
        self._chosen.pop(result.uri, None)
        self._results.pop(_key(result.uri, result.prefix, result.suffix, result.settings_key), None)
        while len(self._rejected) > KEPT_REJECTIONS:
            self._rejected.popitem(last=False)

    def is_rejected(self, cursor: CursorContext, text: str, *, exactly: bool = False) -> bool:
        """Whether the user has rejected this text here; unless ``exactly``, also a shorter or longer form of it."""
        return any(rejection.covers(cursor, text, exactly=exactly) for rejection in self._rejected)

    def forget(self, uri: str) -> None:
        """Drop what belongs to a document that was closed."""
        self._newest.pop(uri, None)
        self._next.pop(uri, None)
        self._chosen.pop(uri, None)
        for key in [key for key, result in self._results.items() if result.uri == uri]:
            del self._results[key]

    def _keep(self, result: Result) -> None:
        key = _key(result.uri, result.prefix, result.suffix, result.settings_key)
        self._results[key] = _Kept(result.uri, result.text, result.replaced)
        while len(self._results) > KEPT_RESULTS:
            self._results.popitem(last=False)


def _key(uri: str, prefix: str, suffix: str, settings_key: str) -> str:
    return content_hash(f"{uri}\0{settings_key}\0{prefix}\0{suffix}")
