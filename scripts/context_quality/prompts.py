"""Lay out the chosen snippets around the window: the ways in which a prompt can name the file of a snippet."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

from scripts.context_quality.case import Case
from spark_lsp.engine.base import PromptPart
from spark_lsp.engine.fim import FimFamily, Order, build_prompt
from spark_lsp.prompt.cached_prefix import block_of
from spark_lsp.prompt.segment import Segment
from spark_lsp.text.language import LANGUAGES
from spark_lsp.text.syntax import parse

LayOut = Callable[[Case, FimFamily, Order, Sequence[Segment]], tuple[PromptPart, ...]]


def in_repository(case: Case, family: FimFamily, order: Order, segments: Sequence[Segment]) -> tuple[PromptPart, ...]:
    """The family's own way: its tokens for repository and files."""
    return build_prompt(
        family,
        order,
        repository=case.hole.package if segments else "",
        blocks=[block_of(segment) for segment in segments if segment.kind != "imports"],
        current_path=case.hole.path,
        prefix=case.prefix,
        suffix=case.suffix,
        opening="".join(segment.text for segment in segments if segment.kind == "imports"),
    )


def in_comments(case: Case, family: FimFamily, order: Order, segments: Sequence[Segment]) -> tuple[PromptPart, ...]:
    """Paths in comments and the snippets as code, all before the file in the prefix."""
    mark = LANGUAGES[case.hole.language].line_comment
    pieces = "".join(f"{mark} {segment.path}\n{segment.text.rstrip()}\n\n" for segment in segments)
    head = f"{pieces}{mark} {case.hole.path}\n" if segments else ""
    return build_prompt(
        family, order, repository="", blocks=[], current_path="", prefix=head + case.prefix, suffix=case.suffix
    )


def as_comments(case: Case, family: FimFamily, order: Order, segments: Sequence[Segment]) -> tuple[PromptPart, ...]:
    """Everything of other files commented out, before the file in the prefix, as in CrossCodeEval's prompts."""
    mark = LANGUAGES[case.hole.language].line_comment
    lines = [f"{mark} Relevant code from other files of this repository:"] if segments else []
    for segment in segments:
        lines += [
            f"{mark} {segment.path}",
            *(f"{mark} {line}".rstrip() for line in segment.text.rstrip().split("\n")),
            mark,
        ]
    head = "".join(f"{line}\n" for line in lines)
    return build_prompt(
        family, order, repository="", blocks=[], current_path="", prefix=head + case.prefix, suffix=case.suffix
    )


_IMPORTS = re.compile("^(import|use|package|future_import)")


def imports_of(case: Case) -> str:
    """Return the file's imports of names of the workspace that are before the window."""
    text = case.snapshot.text[: case.window.prefix.start]
    syntax = parse(LANGUAGES[case.hole.language], case.snapshot.text)
    if syntax is None:
        return ""
    lines = []
    for node in syntax.tree.root_node.children:
        source = (node.text or b"").decode()
        is_import = _IMPORTS.match(node.type) and node.end_byte <= len(text)
        if is_import and any(word in case.view.definitions for word in re.findall(r"\w+", source)):
            lines.append(source)
    return "\n".join(lines)


async def with_imports(case: Case) -> Case:
    """Return the case with the file's imports before its window, which leaves less budget for other files."""
    imports = imports_of(case)
    (tokens,) = await case.counter.count([imports])
    if tokens > case.sizes.context // 2:
        imports, tokens = "", 0
    case = replace(case, sizes=replace(case.sizes, context=case.sizes.context - tokens))
    return _Imported(**{field.name: getattr(case, field.name) for field in fields(case)}, imports=imports)


@dataclass(frozen=True)
class _Imported(Case):
    """A case whose window begins with the file's imports."""

    imports: str = ""

    @property
    def prefix(self) -> str:
        """The imports, and the window after them."""
        window = super().prefix
        return f"{self.imports}\n\n{window}" if self.imports else window


def begun(lines: int) -> LayOut:
    """Return the family's own way with the last lines before the cursor behind the middle token, its own included."""

    def lay_out(case: Case, family: FimFamily, order: Order, segments: Sequence[Segment]) -> tuple[PromptPart, ...]:
        kept = case.prefix.split("\n")
        above, last = kept[:-lines], kept[-lines:]
        return build_prompt(
            family,
            order,
            repository=case.hole.package,
            blocks=[block_of(segment) for segment in segments if segment.kind != "imports"],
            current_path=case.hole.path,
            prefix="".join(f"{line}\n" for line in above),
            suffix=case.suffix,
            opening="".join(segment.text for segment in segments if segment.kind == "imports"),
            begun="\n".join(last),
        )

    return lay_out


LAY_OUT: dict[str, LayOut] = {
    "repo": in_repository,
    "comments": in_comments,
    "commented": as_comments,
    **{f"begun{lines}": begun(lines) for lines in (1, 5, 11, 1000)},
}
