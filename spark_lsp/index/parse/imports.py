"""Resolve imports to indexed files by the path conventions of each language. Pure.

A module that no indexed file answers to resolves to nothing; third-party packages are not guessed at. Names alone are
asked for, so no build file is read: a package of a monorepo is found where such packages are by custom.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from itertools import islice
from posixpath import basename, dirname, join, normpath

from spark_lsp.index.parse.symbols import Import

FILES_MOST = 64  # of one file's imports; a wildcard over a large package says no more
PACKAGE_FILES_MOST = 24

Folder = Callable[[str], Sequence[str]]
"""Returns the indexed files right in a folder."""

_SCRIPT_ENDINGS = (".ts", ".tsx", ".d.ts", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".cts")
_COMPILED_TO_SOURCE = ((".js", ".ts"), (".jsx", ".tsx"), (".mjs", ".mts"), (".cjs", ".cts"))
_SCRIPT_ALIASES = ("@/", "~/")  # what tsconfig and bundlers call the folder src by custom
_JAVA_ROOTS = ("", "src/main/java", "src/test/java", "src", "java")
_CRATE_ROOTS = ("lib.rs", "main.rs")


def no_folders(_folder: str) -> Sequence[str]:
    """Know no folder's files."""
    return ()


def resolve(
    files: Container[str], path: str, language: str, module: str, folder: Folder = no_folders
) -> tuple[str, ...]:
    """Return the indexed files that an import written in ``path`` may mean, the likeliest first."""
    candidates = _CONVENTIONS.get(language)
    if candidates is None:
        return ()
    resolved = (
        candidate for candidate in candidates(files, path, module, folder) if candidate in files and candidate != path
    )
    return tuple(dict.fromkeys(resolved))


def imported_files(
    files: Container[str], path: str, language: str, imports: Iterable[Import], folder: Folder = no_folders
) -> tuple[str, ...]:
    """Return the files that a file sees: those its imports name, and those of its own package where languages say so.

    A name taken from a module may be a module itself: ``from . import views``, ``use crate::net``, ``import a.b.C``.
    """
    resolved: dict[str, None] = {}
    separator = _SEPARATORS.get(language)
    for statement in imports:
        modules = [statement.module]
        if separator is not None:
            inner = statement.module.endswith(separator)
            modules += [f"{statement.module}{'' if inner else separator}{name}" for name in statement.names]
        for module in modules:
            resolved.update(dict.fromkeys(resolve(files, path, language, module, folder)))
        if len(resolved) > FILES_MOST:
            break
    if language in _PACKAGE_IS_FOLDER:
        resolved.update(
            dict.fromkeys(
                neighbour for neighbour in folder(dirname(path)) if neighbour != path and not _is_go_test(neighbour)
            )
        )
    return tuple(islice(resolved, FILES_MOST))


def _above(path: str) -> Iterator[str]:
    """Yield the folder of a path and all folders above it, the root last as ""."""
    folder = dirname(path)
    while folder:
        yield folder
        folder = dirname(folder)
    yield ""


def _python(_files: Container[str], path: str, module: str, _folder: Folder) -> Iterator[str]:
    """``a.b`` is a/b.py or a/b/__init__.py under the importing file's folder or any folder above it."""
    name = module.lstrip(".")
    dots = len(module) - len(name)
    tail = name.replace(".", "/")
    if dots:
        folder = dirname(path)
        for _ in range(dots - 1):
            folder = dirname(folder)
        yield from _python_file(folder, tail)
        return
    for folder in (*_above(path), "src", "lib"):
        yield from _python_file(folder, tail)


def _python_file(folder: str, tail: str) -> Iterator[str]:
    base = join(folder, tail).rstrip("/") if tail else folder
    if tail:
        yield from (f"{base}.py", f"{base}.pyi")
    yield from (join(base, "__init__.py"), join(base, "__init__.pyi"))


def _script(_files: Container[str], path: str, module: str, _folder: Folder) -> Iterator[str]:
    """``./x`` is x.ts or x/index.ts beside the importing file; a bare name is a package of the workspace."""
    if module.startswith("."):
        yield from _script_file(normpath(join(dirname(path), module)))
        return
    alias = next((prefix for prefix in _SCRIPT_ALIASES if module.startswith(prefix)), None)
    if alias is not None:
        for folder in _above(path):
            yield from _script_file(join(folder, "src", module.removeprefix(alias)))
        return
    package, _, inner = module.partition("/")
    if package.startswith("@"):
        package, _, inner = inner.partition("/")
    if not package:
        return
    for folder in _above(path):
        for place in (join(folder, package), join(folder, "packages", package)):
            yield from _script_file(join(place, "src", inner or "index"))
            yield from _script_file(join(place, inner or "index"))


def _script_file(base: str) -> Iterator[str]:
    yield base
    for compiled, source in _COMPILED_TO_SOURCE:
        if base.endswith(compiled):
            yield base.removesuffix(compiled) + source
    for ending in _SCRIPT_ENDINGS:
        yield base + ending
    for ending in _SCRIPT_ENDINGS:
        yield f"{base}/index{ending}"


def _include(_files: Container[str], path: str, module: str, _folder: Folder) -> Iterator[str]:
    """An included header is beside the including file, under a folder above it, or in ``include``."""
    for folder in _above(path):
        yield normpath(join(folder, module))
        yield normpath(join(folder, "include", module))


def _java(_files: Container[str], path: str, module: str, folder: Folder) -> Iterator[str]:
    """``a.b.C`` is a/b/C.java under a source root; ``a.b`` is a package, wanted whole where it ends in ``*``."""
    name = module.removesuffix(".*")
    inner = name.replace(".", "/")
    for above in _above(path):
        for root in _JAVA_ROOTS:
            yield join(above, root, f"{inner}.java")
            if name != module:
                yield from folder(join(above, root, inner))[:PACKAGE_FILES_MOST]


def _go(_files: Container[str], path: str, module: str, folder: Folder) -> Iterator[str]:
    """A package is a folder; its import path ends in it, whatever go.mod calls the module."""
    parts = module.split("/")
    for start in range(len(parts)):
        for above in _above(path):
            inside = [member for member in folder(join(above, *parts[start:])) if not _is_go_test(member)]
            if inside:
                yield from inside[:PACKAGE_FILES_MOST]
                return


def _is_go_test(path: str) -> bool:
    return path.endswith("_test.go")


def _rust(files: Container[str], path: str, module: str, _folder: Folder) -> Iterator[str]:
    """``crate::a::b`` is a/b.rs or a/b/mod.rs under the crate's root, ``super`` and ``self`` go by the file.

    The last part may be an item and not a module: then it is its parent that is meant.
    """
    parts = module.split("::")
    first, inner = parts[0], parts[1:]
    own = _rust_module_folder(path)
    if first == "self":
        yield from _rust_file(own, inner)
    elif first == "super":
        folder = dirname(own)
        while inner and inner[0] == "super":
            folder, inner = dirname(folder), inner[1:]
        yield from _rust_file(folder, inner)
    elif first == "crate":
        root = next((above for above in _above(path) if any(join(above, name) in files for name in _CRATE_ROOTS)), None)
        if root is not None:
            yield from _rust_file(root, inner)
    else:  # a crate of the same workspace, whose folder may be written with hyphens
        for folder in _above(path):
            for name in (first, first.replace("_", "-")):
                yield from _rust_file(join(folder, name, "src"), inner)
                yield from _rust_file(join(folder, "crates", name, "src"), inner)


def _rust_module_folder(path: str) -> str:
    """Return the folder of a file's submodules."""
    name = basename(path)
    return dirname(path) if name in {"mod.rs", *_CRATE_ROOTS} else path.removesuffix(".rs")


def _rust_file(folder: str, parts: Sequence[str]) -> Iterator[str]:
    for end in (len(parts), len(parts) - 1):
        if end > 0:
            inner = join(folder, *parts[:end])
            yield from (f"{inner}.rs", f"{inner}/mod.rs")
    if len(parts) < 2:
        yield from (join(folder, "mod.rs"), f"{folder}.rs", *(join(folder, name) for name in _CRATE_ROOTS))


_SEPARATORS = {"python": ".", "java": ".", "rust": "::"}
_PACKAGE_IS_FOLDER = frozenset({"go", "java"})
_CONVENTIONS: dict[str, Callable[[Container[str], str, str, Folder], Iterator[str]]] = {
    "python": _python,
    "javascript": _script,
    "typescript": _script,
    "tsx": _script,
    "go": _go,
    "rust": _rust,
    "java": _java,
    "c": _include,
    "cpp": _include,
}
