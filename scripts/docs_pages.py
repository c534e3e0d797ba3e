"""Lay the pages out for the documentation site, in ``build/pages``; ``make docs`` then builds the site from there.

The pages are written for a reader of the repository: a link leads from file to file. On the site, ``README.md`` is the
start page, ``docs/`` is the root, and a link to a file that is no page becomes the file's name.
"""

import posixpath
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "build" / "pages"
START = "README.md"
RENAMED = {START: "index.md", "SECURITY.md": "reporting.md"}
"""Pages with another name on the site; some file systems treat ``SECURITY.md`` and ``docs/security.md`` as one."""
OTHER_PAGES = (
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "NOTICE.md",
    "SECURITY.md",
    "models/spark-nano/README.md",
    "models/training/README.md",
    "samples/ledger/README.md",
)
PICTURES = ("editors/vscode/images/context.png", "editors/vscode/images/ghost-text.png")
LINK = re.compile(r"(?P<mark>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)#\s]+)(?P<anchor>#[^)]*)?\)")
FENCE = re.compile(r"^ *```")
LIST_ITEM = re.compile(r"^(?:[-*]|\d+\.) ")


def main() -> None:
    """Write all pages and pictures."""
    shutil.rmtree(PAGES, ignore_errors=True)
    docs = [path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*") if path.is_file()]
    names = sorted({START, *OTHER_PAGES, *PICTURES, *docs})
    for name in names:
        target = PAGES / on_site(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".md"):
            target.write_text(page((ROOT / name).read_text("utf-8"), name, frozenset(names)), "utf-8")
        else:
            shutil.copyfile(ROOT / name, target)


def page(text: str, name: str, names: frozenset[str]) -> str:
    """Return a page for the site: links rewritten, lists indented for Python-Markdown."""
    return "\n".join(_lines(text, name, names)) + "\n"


def _lines(text: str, name: str, names: frozenset[str]) -> Iterator[str]:
    is_code, is_loose, previous = False, False, ""
    for line in text.splitlines():
        if FENCE.match(line):
            is_code = not is_code
        elif not is_code:
            # Python-Markdown needs a blank line before a list, and after a block within an item; GitHub does not.
            if LIST_ITEM.match(line):
                is_inside = bool(LIST_ITEM.match(previous)) or previous.startswith(" ")
                if previous and (is_loose or not is_inside):
                    yield ""
                is_loose = False
            elif not line and previous:
                is_loose = True
            line = LINK.sub(lambda link: _rewritten(link, name, names), line)  # noqa: PLW2901
        yield _indented(line)
        previous = line


def _indented(line: str) -> str:
    """Indent the continuation of a list item by the four columns that Python-Markdown needs."""
    match = re.match(r"^ {2,3}(?=\S)", line)
    return "    " + line[match.end() :] if match else line


def _rewritten(link: re.Match[str], source: str, names: frozenset[str]) -> str:
    mark, text, target, anchor = link.group("mark", "text", "target", "anchor")
    if "://" in target or target.startswith("mailto:"):
        return link.group(0)
    name = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    if name not in names:
        return text if text.startswith("`") else f"{text} (`{name}`)"
    relative = posixpath.relpath(on_site(name), posixpath.dirname(on_site(source)) or ".")
    return f"{mark}[{text}]({relative}{anchor or ''})"


def on_site(name: str) -> str:
    """Return where a file of the repository is on the site."""
    return RENAMED.get(name, name.removeprefix("docs/"))


if __name__ == "__main__":
    main()
