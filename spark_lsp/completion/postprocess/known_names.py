"""Finds names that a suggestion uses and that exist neither in the file, the index nor the language.

Pure. A name that the suggestion binds itself (assigns, declares, takes as a parameter, imports) is known.
"""

import builtins
import keyword
import re
from collections.abc import Callable, Iterator
from functools import cache

import tree_sitter

from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.index.storage.view import IndexView
from spark_lsp.text.edit import Span

IsKnownName = Callable[[str], bool]
"""Whether the workspace has a name; the index answers."""

MIN_NAME = 3  # i, x, ok: local names that say nothing

_TYPED = re.compile(r"\w+$")
_BINDING_FIELDS = frozenset({"name", "left", "pattern", "declarator", "alias", "parameter", "label"})
_BINDING_PARENTS = ("parameter", "import", "for_in_clause", "as_pattern", "with_item", "key")
_USED_FIELDS = frozenset({"value", "right", "type", "default"})
"""What a parameter or a clause that binds a name takes from elsewhere: ``timeout=DEFAULT``, ``for row in rows``."""
_ACCESS = (b".", b"::", b"->")
_USING_PARENTS = ("invocation", "call", "scoped", "access", "member", "selector", "field_expression")

_JAVASCRIPT = """
    Array Boolean Date Error JSON Map Math Number Object Promise Proxy Reflect RegExp Set String Symbol WeakMap
    WeakSet abs all any apply assign at bind boolean body call catch ceil charAt charCodeAt clear clearInterval
    clearTimeout concat console constructor create data decodeURIComponent defineProperty delete document
    encodeURIComponent entries error every exports exec fetch filter finally find findIndex flat flatMap floor
    forEach freeze from fromEntries get getTime global globalThis has hasOwnProperty includes index indexOf info
    isArray isInteger isNaN join keys lastIndexOf length log match max message min module name never next now number
    parse parseFloat parseInt pop prototype push querySelector race reduce reject repeat replace require resolve
    reverse round set setInterval setTimeout shift size slice some sort splice split sqrt stack startsWith endsWith
    string stringify substring test text then this toFixed toISOString toLowerCase toString toUpperCase trim type
    undefined unknown unshift url value values warn window Record Partial Readonly Pick Omit ReadonlyArray
    ReturnType Buffer process async await
"""
_GO = """
    append bool byte cap close complex copy delete error false float32 float64 int int8 int16 int32 int64 iota len
    make max min new nil panic print println recover rune string true uint uint8 uint16 uint32 uint64 any clear
    Error String fmt Errorf Printf Println Sprintf Fprintf errors New Is As context Context Background strings
    Contains HasPrefix HasSuffix Join Split TrimSpace ToLower Fields Replace Builder WriteString strconv Itoa Atoi
    time Now Since Duration Second Millisecond sync Mutex Lock Unlock RLock RUnlock WaitGroup Done Wait Add sort
    Slice Strings Close Read Write bytes Buffer Len Reader Writer http Request Response json Marshal Unmarshal os
    Exit Args
"""
_RUST = """
    Self Some None Ok Err Option Result String Vec Box Rc Arc Cell RefCell HashMap HashSet BTreeMap bool char str
    usize isize u8 u16 u32 u64 u128 i8 i16 i32 i64 i128 f32 f64 std self super crate new clone iter iter_mut
    into_iter map filter collect unwrap expect unwrap_or unwrap_or_else unwrap_or_default push push_str pop len
    is_empty insert get get_mut contains contains_key remove as_str as_ref as_mut to_string to_owned into from
    default fmt println eprintln format vec panic assert assert_eq matches write writeln todo unimplemented
    debug_assert Default Debug Clone Copy PartialEq Eq Hash Iterator IntoIterator From Into Display Formatter ok_or
    ok_or_else and_then or_else map_err is_some is_none is_ok is_err take replace chars bytes lines split trim parse
    next enumerate zip fold sum any all find position rev skip cloned copied extend sort min max abs pow
    with_capacity capacity drain join concat
"""
_JAVA = """
    Boolean Byte Character Class Double Exception Float IllegalArgumentException IllegalStateException Integer
    Iterable Long Math Object Objects Override RuntimeException String StringBuilder System Thread Throwable Void
    List ArrayList Map HashMap Set HashSet Optional Arrays Collections Collectors add addAll append apply charAt
    clear close collect compareTo contains containsKey empty entrySet equals err filter forEach format get getClass
    getKey getMessage getName getOrDefault getValue hasNext hashCode indexOf isEmpty isPresent iterator join keySet
    length map max min next of ofNullable orElse out parseInt print println put putIfAbsent remove replace
    requireNonNull set size sort split startsWith endsWith stream substring toArray toList toLowerCase toString
    toUpperCase trim valueOf values var
"""
_C = """
    NULL FILE bool size_t ssize_t ptrdiff_t int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t uint64_t
    uintptr_t true false stdin stdout stderr printf fprintf snprintf sprintf malloc calloc realloc free memcpy
    memmove memset memcmp strlen strcmp strncmp strcpy strncpy strchr strstr strdup fopen fclose fread fwrite fputs
    fgets exit abort assert errno std string vector map set unordered_map pair unique_ptr shared_ptr make_unique
    make_shared move forward size begin end push_back emplace_back front back empty find insert erase clear data
    c_str str cout cerr endl string_view optional nullopt first second get reset at append substr length what
    exception runtime_error to_string min max swap
"""
_WORDS = {"javascript": _JAVASCRIPT, "typescript": _JAVASCRIPT, "tsx": _JAVASCRIPT, "go": _GO, "rust": _RUST,
          "java": _JAVA, "c": _C, "cpp": _C}  # fmt: skip


@cache
def language_words(language: str) -> frozenset[str]:
    """Return the names that a language brings along, as far as they are common."""
    if language != "python":
        return frozenset(_WORDS.get(language, "").split())
    kinds = (str, bytes, int, float, list, dict, set, tuple, type, property, BaseException, object)
    members = {name for kind in kinds for name in dir(kind)}
    return frozenset({*dir(builtins), *keyword.kwlist, *keyword.softkwlist, *members, "self", "cls"})


def unknown_names(cursor: CursorContext, text: str, is_known_name: IsKnownName) -> Iterator[int]:
    """Yield the ends of unknown names, as offsets of the text, in order.

    Of a language whose own names are not listed here nothing is known, so nothing is doubted.
    """
    if cursor.tree is None or cursor.language is None or cursor.language.name not in {"python", *_WORDS}:
        return
    tree = cursor.tree.edited(Span(cursor.offset, cursor.offset), text)
    typed = _TYPED.search(cursor.line_prefix)
    begun = len(typed[0]) if typed else 0
    known = language_words(cursor.language.name)
    bound: set[str] = set()
    for leaf in tree.nodes_within(Span(cursor.offset - begun, cursor.offset + len(text))):
        if not leaf.type.endswith("identifier") or leaf.text is None:
            continue
        name = leaf.text.decode("utf-8", "replace")
        if _binds(leaf) and not _is_member(leaf, tree.source):
            bound.add(name)
        elif len(name) >= MIN_NAME and not (
            name in bound or name in known or name.startswith("__") or is_known_name(name) or _stands_in(cursor, name)
        ):
            end = len(tree.source[: leaf.end_byte].decode("utf-8", "replace")) - cursor.offset
            if end > 0:
                yield end


def _stands_in(cursor: CursorContext, name: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", cursor.snapshot.text) is not None


def _is_member(leaf: tree_sitter.Node, source: bytes) -> bool:
    """Whether a name is a member of something: of what is before it, or of what a pattern ``{ name }`` takes apart.

    Half an expression may look like a declaration to a grammar: ``path.Separ`` of Go is a type there.
    """
    before = source[max(0, leaf.start_byte - 2) : leaf.start_byte]
    return leaf.type == "shorthand_property_identifier_pattern" or (before.endswith(_ACCESS) and before != b"..")


def _binds(leaf: tree_sitter.Node) -> bool:
    """Whether a name is defined here rather than used, judged by the tree."""
    node = leaf
    for _ in range(3):
        parent = node.parent
        if parent is None:
            return False
        kind = parent.type
        if any(part in kind for part in _USING_PARENTS):
            return False
        number = next((number for number, child in enumerate(parent.children) if child == node), 0)
        field = parent.field_name_for_child(number)
        if any(part in kind for part in _BINDING_PARENTS):
            return field not in _USED_FIELDS
        if field is not None:
            return field in _BINDING_FIELDS
        node = parent  # a name within a pattern: a tuple, a list, an object
        if "pattern" not in kind and "list" not in kind:
            return False
    return False


def in_index(view: IndexView, name: str) -> bool:
    """Whether a file of the workspace has a name. A workspace without files says nothing, so every name may be one."""
    if not view.files:
        return True
    if name in view.definitions or name in view.postings.word_ids:
        return True
    return any(entry is not None and name in entry.symbols.references for entry in view.stale.values())
