"""One cache of syntax trees serves completion and actions, from any thread."""

from concurrent.futures import ThreadPoolExecutor

from spark_lsp.actions.base import Target
from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.text.edit import Span
from spark_lsp.text.language import LANGUAGES
from spark_lsp.text.snapshot import Snapshot
from spark_lsp.text.syntax import parse
from spark_lsp.text.syntax_cache import MAX_TREES, MAX_TREES_PER_DOCUMENT, SyntaxCache

PYTHON = LANGUAGES["python"]


def test_completion_and_actions_share_the_tree_of_a_document() -> None:
    snapshot = Snapshot("file:///shared.py", None, 1, "python", "def area(a, b):\n    return a * b\n")
    assert Target.of(snapshot, Span(0, 0)).syntax is CursorContext(snapshot, 4).tree


def test_a_text_that_is_cached_is_not_parsed_again() -> None:
    cache = SyntaxCache()
    first = cache.of(PYTHON, "x = 1\n", "a")
    assert cache.of(PYTHON, "x = 1\n", "a") is first
    assert cache.has(PYTHON, "a")
    assert not cache.has(PYTHON, "b")
    assert not cache.has(LANGUAGES["go"], "a")


def test_a_document_keeps_two_texts_and_leaves_those_of_others() -> None:
    cache = SyntaxCache()
    other_tree = cache.of(PYTHON, "y = 2\n", "other")
    texts = [f"x = {number}\n" for number in range(2 * MAX_TREES)]
    trees = [cache.of(PYTHON, text, "typed") for text in texts]
    assert cache.of(PYTHON, "y = 2\n", "other") is other_tree
    assert cache.of(PYTHON, texts[-1], "typed") is trees[-1]
    assert cache.of(PYTHON, texts[-MAX_TREES_PER_DOCUMENT], "typed") is trees[-MAX_TREES_PER_DOCUMENT]
    assert cache.of(PYTHON, texts[0], "typed") is not trees[0]


def test_a_document_without_a_grammar_has_no_tree() -> None:
    assert SyntaxCache().of(None, "plain text", "a") is None


def test_threads_get_the_tree_of_their_own_text() -> None:
    cache = SyntaxCache()
    texts = [f"def f{number}():\n    return [{'1, ' * number}]\n" for number in range(60)]
    with ThreadPoolExecutor(8) as threads:
        trees = list(threads.map(lambda text: cache.of(PYTHON, text, f"{len(text) % 3}"), texts * 3))
    for text, tree in zip(texts * 3, trees, strict=True):
        fresh = parse(PYTHON, text)
        assert tree is not None
        assert fresh is not None
        assert (tree.text, str(tree.tree.root_node)) == (text, str(fresh.tree.root_node))
