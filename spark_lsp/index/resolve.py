"""Which files an import names: by path conventions of each language, asked of the set of indexed files. Pure.

A module that no indexed file answers to resolves to nothing; third-party packages are not guessed at.
"""

from collections.abc import Callable, Container, Iterator
from posixpath import dirname, join, normpath

_SCRIPT_ENDINGS = (".ts", ".tsx", ".d.ts", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".cts")
_COMPILED_TO_SOURCE = ((".js", ".ts"), (".jsx", ".tsx"), (".mjs", ".mts"), (".cjs", ".cts"))


def resolve(files: Container[str], path: str, language: str, module: str) -> tuple[str, ...]:
    """Return the indexed files that an import written in ``path`` may mean, the likeliest first."""
    candidates = _CONVENTIONS.get(language)
    if candidates is None:
        return ()
    return tuple(dict.fromkeys(found for found in candidates(path, module) if found in files and found != path))


def _python(path: str, module: str) -> Iterator[str]:
    """``a.b`` lies in a/b.py or a/b/__init__.py under the importing file's folder or any folder above it."""
    name = module.lstrip(".")
    dots = len(module) - len(name)
    tail = name.replace(".", "/")
    folder = dirname(path)
    if dots:
        for _ in range(dots - 1):
            folder = dirname(folder)
        yield from _python_file(folder, tail)
        return
    while True:
        yield from _python_file(folder, tail)
        if not folder:
            break
        folder = dirname(folder)
    yield from _python_file("src", tail)
    yield from _python_file("lib", tail)


def _python_file(folder: str, tail: str) -> Iterator[str]:
    base = join(folder, tail).rstrip("/") if tail else folder
    if tail:
        yield from (f"{base}.py", f"{base}.pyi")
    yield from (join(base, "__init__.py"), join(base, "__init__.pyi"))


def _script(path: str, module: str) -> Iterator[str]:
    """``./x`` lies in x.ts or x/index.ts beside the importing file; a name without a dot is a package."""
    if not module.startswith("."):
        return
    base = normpath(join(dirname(path), module))
    yield base
    for compiled, source in _COMPILED_TO_SOURCE:
        if base.endswith(compiled):
            yield base.removesuffix(compiled) + source
    for ending in _SCRIPT_ENDINGS:
        yield base + ending
    for ending in _SCRIPT_ENDINGS:
        yield f"{base}/index{ending}"


def _include(path: str, module: str) -> Iterator[str]:
    """An included header lies beside the including file, under a folder above it, or in ``include``."""
    folder = dirname(path)
    while True:
        yield normpath(join(folder, module))
        yield normpath(join(folder, "include", module))
        if not folder:
            return
        folder = dirname(folder)


def _java(path: str, module: str) -> Iterator[str]:
    """``a.b.C`` lies in a/b/C.java under any folder above the importing file."""
    tail = module.replace(".", "/") + ".java"
    folder = dirname(path)
    while True:
        yield join(folder, tail)
        if not folder:
            return
        folder = dirname(folder)


_CONVENTIONS: dict[str, Callable[[str, str], Iterator[str]]] = {
    "python": _python,
    "javascript": _script,
    "typescript": _script,
    "tsx": _script,
    "java": _java,
    "c": _include,
    "cpp": _include,
}
