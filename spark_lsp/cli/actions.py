"""``spark-lsp actions``: lists the code actions at a position, prints the diff of one, or changes the files."""

import asyncio
import difflib
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.syntax import Syntax as Highlighted
from rich.table import Table

from spark_lsp.actions.assumption import SENTENCES, sentence
from spark_lsp.actions.base import AvailableAction, Proposal, Target
from spark_lsp.cli.oneshot import settings_of, workspace_for
from spark_lsp.cli.place import FileSpan, decode, read_place, workspace_of
from spark_lsp.cli.terminal import console, err, out_json
from spark_lsp.errors import WorkspaceError
from spark_lsp.index.scan.places import shown_path
from spark_lsp.server.convert import range_as_json
from spark_lsp.text.edit import apply_edits
from spark_lsp.text.snapshot import LineTable
from spark_lsp.verdict.base import Verdict


def actions(
    place: Annotated[
        str,
        typer.Argument(
            metavar="FILE:LINE:COL[-LINE:COL]", help="A cursor or a selection; lines and columns start at 1."
        ),
    ],
    *,
    apply: Annotated[str, typer.Option(metavar="ID", help="Apply this action and print the diff.")] = "",
    instruction: Annotated[str, typer.Option(metavar="TEXT", help="Instruction for the action rewrite.")] = "",
    write: Annotated[bool, typer.Option("--write", help="Also write the changed files.")] = False,
    assume: Annotated[
        bool, typer.Option("--assume", help="Accept an edit that rests on an assumption; it is printed.")
    ] = False,
    model: Annotated[str, typer.Option(help="Model name or path of a GGUF file.")] = "",
    workspace: Annotated[
        Path | None, typer.Option(help="The workspace folder; default: the nearest folder with a project marker.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the code actions at a position, or apply one.

    Example: spark-lsp actions src/main.py:12:5 --apply implement.body
    """
    where = read_place(place)
    root = workspace_of(where.snapshot.path or Path.cwd(), workspace)
    settings = settings_of(root, model)
    target = Target.of(where.snapshot, where.span, (), instruction)

    async def run() -> list[AvailableAction] | Proposal:
        async with workspace_for(root, settings, where if apply else None) as opened:
            if not apply:
                return opened.actions.available(target)
            return await opened.actions.propose(apply, target, can_confirm=assume)

    answer = asyncio.run(run())
    if isinstance(answer, Proposal):
        _show_proposal(answer, where, root, write=write, as_json=as_json)
    else:
        _show_available(answer, as_json=as_json)


def _show_available(available: list[AvailableAction], *, as_json: bool) -> None:
    if as_json:
        rows = [
            {"id": action.id, "kind": action.kind, "title": action.title, "needs": action.needs} for action in available
        ]
        out_json(rows)
        return
    table = Table("id", "title", "needs", box=None, pad_edge=False)
    for action in available:
        table.add_row(action.id, action.title, action.needs)
    console().print(table if available else "No code action is available here.")


def _show_proposal(proposal: Proposal, where: FileSpan, root: Path, *, write: bool, as_json: bool) -> None:
    text, path = where.snapshot.text, where.snapshot.path
    assert path is not None, "a place on the command line is a file"
    after = apply_edits(text, proposal.edits)
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
    others = [(file, apply_edits(file.text or "", file.edits)) for file in proposal.files]
    diff = _diff(name, text, after) + "".join(_diff(file.path, file.text or "", new) for file, new in others)
    if as_json:
        out_json(_proposal_json(proposal, where, root, name, diff))
    elif diff:
        console().print(Highlighted(diff, "diff", background_color="default", word_wrap=True))
    if not diff and not as_json:
        lifted = sentence(proposal.assumptions)
        fix = f"Add --assume for an edit that {lifted}." if lifted else ""
        raise WorkspaceError(proposal.message or f"{proposal.id} changes nothing here.", fix=fix)
    if diff and proposal.assumptions:
        err(f"This edit {sentence(proposal.assumptions)}.\n")
    for verdict in proposal.verdicts:
        if diff and not as_json:
            err(f"{verdict.message or f'{verdict.tool} reports nothing new.'}\n")
    if write:
        edited = [(path, text, after, where.encoding)] if proposal.edits else []
        _write([*edited, *(_other_file(root / file.path, file.text, new) for file, new in others)])


_Written = tuple[Path, str, str, str]
"""A file, its text now, its text then, and its encoding."""


def _other_file(path: Path, expected: str | None, new: str) -> _Written:
    """Return what to write into another file; an edit of a text that the file does not hold is refused.

    Raises:
        WorkspaceError: the file has changed, or is not there any more.
    """
    try:
        text, encoding = decode(path.read_bytes(), path) if expected is not None or path.exists() else ("", "utf-8")
    except OSError as error:
        raise WorkspaceError(f"{path} cannot be read: {error.strerror}. No file was changed.") from error
    if encoding and text != (expected or ""):
        raise WorkspaceError(f"{path} has changed in the meantime. No file was changed.", fix="Run the command again.")
    return path, text, new, encoding


def _write(files: list[_Written]) -> None:
    """Write all files or, where one could not keep its encoding, none.

    Raises:
        WorkspaceError: a file is in an unknown encoding, cannot hold the new text, or cannot be written.
    """
    contents = []
    for path, _text, new, encoding in files:
        if not encoding:
            raise WorkspaceError(
                f"{path} is not UTF-8 text, so writing it could damage it. No file was changed.",
                fix="Convert the file to UTF-8, or apply the action in your editor.",
            )
        try:
            contents.append((path, new.encode(encoding)))
        except UnicodeEncodeError as error:
            raise WorkspaceError(
                f"{path} is in {encoding}, which has no {error.object[error.start]!r}. No file was changed.",
                fix="Convert the file to UTF-8.",
            ) from error
    for path, content in contents:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except OSError as error:
            raise WorkspaceError(f"{path} cannot be written: {error.strerror}.") from error


def _diff(name: str, before: str, after: str) -> str:
    return "".join(
        difflib.unified_diff(
            before.splitlines(keepends=True), after.splitlines(keepends=True), f"a/{name}", f"b/{name}"
        )
    )


def _proposal_json(proposal: Proposal, where: FileSpan, root: Path, name: str, diff: str) -> dict[str, Any]:
    text, lines = where.snapshot.text, where.snapshot.lines
    edits = [
        {"path": name, "range": range_as_json(text, lines, edit.span), "newText": edit.new_text}
        for edit in proposal.edits
    ]
    for file in proposal.files:
        table = LineTable.of(file.text or "")
        edits += [
            {"path": file.path, "range": range_as_json(file.text or "", table, edit.span), "newText": edit.new_text}
            for edit in file.edits
        ]
    return {
        "id": proposal.id,
        "edits": edits,
        "diff": diff,
        "reason": proposal.reason,
        "message": proposal.message,
        "refusal": proposal.refusal,
        "assumptions": {name: SENTENCES[name] for name in sorted(proposal.assumptions)},
        "verdicts": [_verdict_json(verdict, root) for verdict in proposal.verdicts],
        "stats": {name: value for name, value in msgspec.to_builtins(proposal.usage).items() if name != "prefill_cost"},
    }


def _verdict_json(verdict: Verdict, root: Path) -> dict[str, Any]:
    rows = [
        {
            "path": shown_path(root, problem.path),
            "line": problem.line,
            "code": problem.code,
            "message": problem.message,
        }
        for problem in verdict.problems
    ]
    return {
        "tool": verdict.tool,
        "status": verdict.status,
        "message": verdict.message,
        "problems": rows,
        "duration_ms": round(verdict.duration_ms, 1),
    }
