"""What the engine holds of a workspace's cached prefix, and which part of it prompts show. Pure; knows no engine.

A prefix is prefilled segment by segment. Prompts show the active part of it, which grows in few steps, because each
step makes the volatile part behind it be prefilled again.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, takewhile

from spark_lsp.prompt.cached_prefix import is_same
from spark_lsp.prompt.segment import Segment, tokens_of
from spark_lsp.text.snapshot import content_hash

GROWTH = 2.0
"""How much longer the prefilled part must have become before prompts show more of it, while the rest is prefilled."""


@dataclass(frozen=True, slots=True)
class ActivePrefix:
    """The segments that prompts show, marked ``cached``, and a digest of them: answers depend on it."""

    segments: tuple[Segment, ...] = ()
    digest: str = content_hash("")


@dataclass(frozen=True, slots=True)
class _Version:
    """What an ``ActivePrefix`` was made from."""

    segments: tuple[Segment, ...]
    prefilled: int
    may_grow: bool


@dataclass
class PrefixState:
    """The cached prefix of one workspace over time. Belongs to one event loop."""

    segments: tuple[Segment, ...] = ()
    prefilled: int = 0
    """How many of the segments the engine holds."""
    _active_count: int = 0
    _previous: tuple[Segment, ...] = ()
    """The prefix of before, as far as it is still right: shown until more of the new one is prefilled."""
    _active: ActivePrefix = field(default_factory=ActivePrefix)
    _version: _Version | None = None

    @property
    def prefilled_tokens(self) -> int:
        """Tokens that the engine holds."""
        return tokens_of(self.segments[: self.prefilled])

    @property
    def missing_tokens(self) -> int:
        """Tokens that the engine has still to prefill."""
        return tokens_of(self.segments[self.prefilled :])

    @property
    def is_prefilled(self) -> bool:
        """Whether the engine holds all of it."""
        return self.prefilled == len(self.segments)

    @property
    def is_shown(self) -> bool:
        """Whether prompts show anything of it, or of the one before."""
        return bool(self._active_count or self._previous)

    def is_all_shown(self) -> bool:
        """Whether prompts show all that is prefilled, or will when the prefill is through."""
        return not self.is_prefilled or (self._active_count == self.prefilled and not self._previous)

    def marked(self) -> tuple[Segment, ...]:
        """Return the segments, those that the engine holds marked ``cached``."""
        return tuple(replace(segment, cached=number < self.prefilled) for number, segment in enumerate(self.segments))

    def active(self, *, may_grow: bool) -> ActivePrefix:
        """Return what prompts show. ``may_grow`` tells whether a key may find the volatile part uncached.

        Worked out once for each change: a key must not cost the prefix's length.
        """
        version = self._version
        if (
            version is None
            or version.segments is not self.segments
            or version.prefilled != self.prefilled
            or may_grow > version.may_grow
        ):
            self._version = _Version(self.segments, self.prefilled, may_grow)
            shown = tuple(replace(segment, cached=True) for segment in self._choose(may_grow=may_grow))
            self._active = ActivePrefix(shown, content_hash("\0".join(segment.text for segment in shown)))
        return self._active

    def _choose(self, *, may_grow: bool) -> tuple[Segment, ...]:
        """Choose the new prefix's segments, or the previous ones while they are more."""
        prefilled, active = self.segments[: self.prefilled], self.segments[: self._active_count]
        if not may_grow:
            return self._previous or active
        if tokens_of(self._previous) > tokens_of(prefilled):
            return self._previous
        self._previous = ()
        if self.is_prefilled or tokens_of(prefilled) >= GROWTH * tokens_of(active):
            self._active_count = self.prefilled
            return prefilled
        return active

    def replace(
        self,
        segments: tuple[Segment, ...],
        *,
        still_right: Callable[[Segment], bool],
        fits: Callable[[Sequence[Segment], Sequence[Segment]], bool],
        may_grow: bool,
    ) -> None:
        """Take a newly chosen prefix; what is unchanged at its beginning stays prefilled.

        ``still_right`` tells of a shown segment whether it may be shown on; ``fits`` whether the engine has cells for
        what is shown and for what is new.
        """
        same = _common(segments, self.segments[: self.prefilled])
        shown = tuple(takewhile(still_right, self._choose(may_grow=may_grow)))
        self._previous = shown if fits(shown, segments[_common(shown, segments) :]) else ()
        self.segments, self.prefilled = segments, same
        self._active_count = min(same, self._active_count)

    def prefilled_up_to(self, tokens: int) -> None:
        """Notice that the engine holds the first so many tokens."""
        ends = accumulate(segment.tokens for segment in self.segments)
        self.prefilled = max(self.prefilled, sum(1 for _ in takewhile(lambda end: end <= tokens, ends)))

    def prefilled_whole(self) -> None:
        """Notice that the engine holds all segments."""
        self.prefilled = len(self.segments)

    def cut(self) -> None:
        """Give up what is not prefilled yet."""
        self.segments = self.segments[: self.prefilled]

    def assume_prefilled(self) -> None:
        """Show the whole prefix at once, prefilled or not: for a single request."""
        self.prefilled = self._active_count = len(self.segments)
        self._previous = ()

    def forget(self) -> None:
        """Forget what was prefilled: a new engine holds nothing."""
        self.prefilled, self._active_count, self._previous, self._version = 0, 0, (), None


def _common(first: Iterable[Segment], second: Iterable[Segment]) -> int:
    """Return how many segments two sequences have in common at their beginning."""
    return sum(1 for _ in takewhile(lambda pair: is_same(*pair), zip(first, second, strict=False)))
