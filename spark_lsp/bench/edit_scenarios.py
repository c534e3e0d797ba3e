"""Next-edit scenarios as text files: a workspace, the user's change in it, and what has to follow.

``#- path`` begins a file, ``«old→new»`` is what the user changed, ``=== after`` begins the workspace once every step is
accepted. A scenario that ends in ``=== silent`` has to stay silent.
"""

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spark_lsp.edits.chain import Chain
from spark_lsp.edits.computed import computed
from spark_lsp.edits.gate import GateContext, gate
from spark_lsp.edits.next_edit import NextEdit, Silence, Situation, with_open_texts
from spark_lsp.errors import SettingsError
from spark_lsp.index.store import Index
from spark_lsp.text.language import language_of_path

SILENT: Final = "silent"
_CHANGE: Final = re.compile(r"«([^→»]*)→([^»]*)»")
_FILE: Final = re.compile(r"^#- (\S.*)\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A workspace before and after the user's change in ``path``; ``wanted`` is empty where nothing may follow."""

    name: str
    path: str
    before: Mapping[str, str]
    now: Mapping[str, str]
    wanted: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ScenarioOutcome:
    """What followed: the workspace with every step accepted, the number of steps, and the reason for silence."""

    texts: Mapping[str, str]
    steps: int
    silence: str = ""


def read_scenario(path: Path) -> Scenario:
    """Read a scenario.

    Raises:
        SettingsError: the file is no scenario.
    """
    given, mark, wanted = path.read_text("utf-8").partition("\n=== ")
    files = _files(f"{given}\n")
    changed = [name for name, text in files.items() if _CHANGE.search(text)]
    if not mark or len(changed) != 1:
        raise SettingsError(
            f"{path} is no scenario: it needs a change «old→new» in one file, and a line that begins ===."
        )
    kind, _, rest = wanted.partition("\n")
    return Scenario(
        path.stem,
        changed[0],
        {name: _CHANGE.sub(r"\1", text) for name, text in files.items()},
        {name: _CHANGE.sub(r"\2", text) for name, text in files.items()},
        {} if kind == SILENT else _files(rest),
    )


def play(scenario: Scenario, folder: Path) -> ScenarioOutcome:
    """Write the workspace to an empty folder, make the change, and accept every step that is offered."""
    situation = situation_of(scenario, folder)
    offered = computed(situation)
    if isinstance(offered, Silence):
        return ScenarioOutcome(scenario.now, 0, offered.name)
    texts = dict(scenario.now)
    count = 0
    for edit in _steps(offered, situation.path):
        refusal = gate(edit, GateContext(texts[edit.path]))
        if refusal:
            return ScenarioOutcome(texts, count, refusal)
        texts[edit.path] = edit.text_after
        count += 1
    return ScenarioOutcome(texts, count)


def situation_of(scenario: Scenario, folder: Path) -> Situation:
    """Write the workspace before the change to a folder, index it, and open the changed document."""
    for name, text in scenario.before.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text.encode())
    index = Index(folder)
    index.refresh()
    now = scenario.now[scenario.path]
    index.update(scenario.path, now)
    view = index.view()
    language = language_of_path(scenario.path)
    if language is None:
        raise SettingsError(f"{scenario.name}: {scenario.path} is of no known language.")
    before = scenario.before[scenario.path]
    read = with_open_texts(view, {scenario.path: now})
    place = folder / scenario.path
    return Situation(
        path=scenario.path,
        language=language,
        text=now,
        texts_before=(before,),
        view=view,
        read=read,
        uri=place.as_uri(),
        file=place,
        changed_since_ns=time.time_ns(),
    )


def _steps(chain: Chain, path: str) -> Iterator[NextEdit]:
    """Accept the edits one after the other, as an editor does."""
    while chain.edits or chain.more is not None:
        if chain.edits:
            edit = chain.in_order(path, 0)[0]
            yield edit
            chain = chain.changed(edit.path, edit.text_after)
        elif chain.more is not None:
            chain = chain.with_files(chain.more())


def _files(text: str) -> dict[str, str]:
    pieces = _FILE.split(text)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))
