"""Present a hole as a request sees it: the document without the missing text, the window, the index."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from scripts.context_quality.holes import Hole
from scripts.context_quality.model import Model
from scripts.context_quality.packages import Package, unpack
from spark_lsp.index.ranking.recent import Recent
from spark_lsp.index.storage.view import IndexView
from spark_lsp.index.store import Index
from spark_lsp.prompt.snippets import Signatures
from spark_lsp.prompt.sources import PromptCursor
from spark_lsp.prompt.token_counts import TokenCounter
from spark_lsp.prompt.window import Window, choose_window
from spark_lsp.text.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Sizes:
    """Tokens of the window, the same in all modes, and of other files."""

    before: int
    after: int
    context: int


@dataclass(frozen=True)
class Case:
    """A hole with everything that a mode may use."""

    hole: Hole
    missing: str
    snapshot: Snapshot
    window: Window
    cursor: PromptCursor
    sizes: Sizes
    counter: TokenCounter
    begun: int
    """Characters before the cursor that belong to the first token of the missing text."""
    open_paths: frozenset[str] = frozenset()
    """The files of all holes of the package, which a long cached prefix leaves out, so that it is the same for all."""

    @property
    def view(self) -> IndexView:
        """The index, which contains the document in its current state."""
        return self.cursor.view

    @property
    def prefix(self) -> str:
        """The window's text before the cursor, up to the token that the cursor is in."""
        return self._before[: len(self._before) - self.begun]

    @property
    def expected(self) -> str:
        """The missing text from the beginning of that token, because the engine heals tokens likewise."""
        return self._before[len(self._before) - self.begun :] + self.missing

    @property
    def _before(self) -> str:
        return self.window.prefix.text(self.snapshot.text)

    @property
    def suffix(self) -> str:
        """The window's text after the cursor."""
        return self.window.suffix.text(self.snapshot.text)


@dataclass(slots=True)
class Workspace:
    """One package with its index."""

    package: Package
    index: Index
    root: Path
    counter: TokenCounter
    model: Model
    recent: Recent = field(default_factory=Recent)
    signatures: Signatures = field(default_factory=Signatures)
    open_paths: frozenset[str] = frozenset()

    @classmethod
    def of(cls, package: Package, folder: Path, model: Model) -> "Workspace":
        """Unpack and index a package."""
        root = unpack(package, folder)
        index = Index(root)
        index.refresh()
        return cls(package, index, root, TokenCounter(model), model)  # type: ignore[arg-type]

    @contextmanager
    def without(self, hole: Hole) -> Iterator[Snapshot]:
        """Make the index see the document without the missing text."""
        text = self.index.view().files[hole.path].text
        bare = text[: hole.start] + text[hole.end :]
        self.index.update(hole.path, bare)
        yield Snapshot(f"file:///{hole.path}", self.root / hole.path, 1, hole.language, bare)
        self.index.update(hole.path, None)

    async def case(self, hole: Hole, snapshot: Snapshot, missing: str, sizes: Sizes) -> Case:
        """Return the case of a hole; call it while the index does not see the missing text."""
        window = await choose_window(
            self.counter,
            snapshot.text,
            snapshot.lines,
            hole.start,
            prefix_tokens=sizes.before,
            suffix_tokens=sizes.after,
        )
        cursor = PromptCursor(
            snapshot, hole.path, hole.start, self.index.view(), self.recent, signatures=self.signatures
        )
        line = snapshot.text[snapshot.text.rfind("\n", 0, hole.start) + 1 : hole.start]
        begun = self.model.begun(line, missing)
        return Case(hole, missing, snapshot, window, cursor, sizes, self.counter, begun, self.open_paths)
