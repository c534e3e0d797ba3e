"""The table of code actions, in the order of the menu. To add an action, add a row."""

from spark_lsp.actions.base import Action
from spark_lsp.actions.chat.fix import FixDiagnostic
from spark_lsp.actions.chat.rewrite import Rewrite, Simplify
from spark_lsp.actions.chat.update_references import UpdateReferences
from spark_lsp.actions.compiled.extract_variable import ExtractVariable as ExtractCompiledVariable
from spark_lsp.actions.document import Document
from spark_lsp.actions.fix_line import FixLine
from spark_lsp.actions.generate_tests import GenerateTests
from spark_lsp.actions.implement_body import ImplementBody
from spark_lsp.actions.javascript.annotate import AnnotateTypes as AnnotateScriptTypes
from spark_lsp.actions.javascript.refactorings import ExtractFunction, ExtractVariable, InlineVariable, RenameSuggest
from spark_lsp.actions.python.annotate_types import AnnotateTypes
from spark_lsp.actions.python.call_updates.update import UpdateCalls
from spark_lsp.actions.python.extract_function import ExtractFunction as ExtractPythonFunction
from spark_lsp.actions.python.extract_variable import ExtractVariable as ExtractPythonVariable
from spark_lsp.actions.python.inline_variable import InlineVariable as InlinePythonVariable
from spark_lsp.actions.python.suggest_name import SuggestName as SuggestPythonName

CATALOG: tuple[Action, ...] = (
    FixDiagnostic(),
    FixLine(),
    ExtractFunction(),
    ExtractPythonFunction(),
    ExtractVariable(),
    ExtractPythonVariable(),
    ExtractCompiledVariable(),
    InlineVariable(),
    InlinePythonVariable(),
    RenameSuggest(),
    SuggestPythonName(),
    AnnotateTypes(),
    AnnotateScriptTypes(),
    ImplementBody(),
    Document(),
    GenerateTests(),
    Rewrite(),
    Simplify(),
    UpdateCalls(),
    UpdateReferences(),
)
