"""Find the names that an edit of JavaScript or TypeScript uses and nothing declares. Pure.

A name that any file of the workspace uses without a declaration is assumed to be a global of its environment.
"""

from typing import Final

from spark_lsp.actions.javascript.scopes import names_of
from spark_lsp.index.storage.view import IndexView
from spark_lsp.text.edit import Edit, apply_edits
from spark_lsp.text.syntax import Syntax, parse

SCRIPTS: Final = frozenset(("javascript", "typescript", "tsx"))
_GLOBALS: Final = frozenset(
    """
    AggregateError Array ArrayBuffer Atomics BigInt BigInt64Array BigUint64Array Boolean DataView Date Error EvalError
    FinalizationRegistry Float32Array Float64Array Function Infinity Int16Array Int32Array Int8Array Intl Iterator JSON
    Map Math NaN Number Object Promise Proxy RangeError ReferenceError Reflect RegExp Set SharedArrayBuffer String
    Symbol SyntaxError TypeError URIError Uint16Array Uint32Array Uint8Array Uint8ClampedArray WeakMap WeakRef WeakSet
    arguments decodeURI decodeURIComponent encodeURI encodeURIComponent escape eval globalThis isFinite isNaN
    parseFloat parseInt undefined unescape
    AbortController AbortSignal Blob Buffer Event EventTarget FormData Headers Request Response TextDecoder TextEncoder
    URL URLSearchParams atob btoa clearInterval clearTimeout console crypto document exports fetch global localStorage
    module navigator performance process queueMicrotask require sessionStorage setInterval setTimeout structuredClone
    window
    Awaited Capitalize ConstructorParameters Exclude Extract InstanceType Iterable IterableIterator Lowercase NoInfer
    NonNullable Omit OmitThisParameter Parameters Partial Pick PromiseLike PropertyKey Readonly ReadonlyArray
    ReadonlyMap ReadonlySet Record Required ReturnType Uncapitalize Uppercase any bigint boolean never number object
    string symbol unknown void const
    """.split()  # noqa: SIM905 - ninety names read better as words
)
"""Globals of ECMAScript, of every browser and Node, and of TypeScript's own library."""


def script_problem(syntax: Syntax | None, edit: Edit, view: IndexView) -> str:
    """Say in one sentence which new name is not declared; empty for none, or in other languages."""
    if syntax is None or syntax.language.name not in SCRIPTS:
        return ""
    after = parse(syntax.language, apply_edits(syntax.text, [edit]))
    if after is None:
        return ""
    fresh = sorted(_unbound(after) - _unbound(syntax) - _GLOBALS)
    unknown = [name for name in fresh if not _is_global_elsewhere(name, view)]
    return f"{', '.join(unknown)} {'is' if len(unknown) == 1 else 'are'} not defined anywhere." if unknown else ""


def _unbound(syntax: Syntax) -> set[str]:
    return {use.name for use in names_of(syntax.tree.root_node).uses if use.binding is None}


def _is_global_elsewhere(name: str, view: IndexView) -> bool:
    """Whether other files use a name that no workspace file defines, such as a global of a test runner."""
    return bool(view.referencing.get(name)) and not view.definitions.get(name)
