"""A scripted chat model, and the text of its prompts."""

from collections.abc import Callable, Sequence

from scripts.harness.fixture import parse_fixture
from spark_lsp.actions.base import Diagnostic, Proposal, Target
from spark_lsp.engine.base import CompletionRequest, SpecialToken
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.index.store import Index
from spark_lsp.text.edit import Span, apply_edits
from tests.support.workspace import TestWorkspace, snapshot_of

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
MARKS = ("<|im_start|>", "<|im_end|>")


def talking(
    answers: Sequence[str] | Callable[[CompletionRequest], str], chunk_chars: int = 4, family: str = "qwen2.5-coder"
) -> ScriptedEngine:
    """A model with a chat template; ``family`` "" has no fill-in-the-middle tokens."""
    return ScriptedEngine(answers, chunk_chars, family, chat_template=CHATML, special_token_texts=MARKS)


def aimed(
    before: str, path: str = "main.py", *, instruction: str = "", message: str = "", code: str = "", source: str = ""
) -> Target:
    """Return the selection or cursor of a text as a target; with a message, the selection has a diagnostic."""
    fixture = parse_fixture(before, default_path=path)
    span = fixture.selection or Span(fixture.offset, fixture.offset)
    diagnostics = (Diagnostic(span, message, code, source),) if message else ()
    return Target.of(
        snapshot_of(fixture.path, fixture.text),
        Span(span.start, span.start) if diagnostics else span,
        diagnostics,
        instruction,
    )


async def chosen(
    action: str, target: Target, engine: ScriptedEngine, index: Index | None = None
) -> tuple[Proposal, str | None]:
    """Choose an action; return the proposal and the document after it."""
    await engine.start()
    proposal = await TestWorkspace(engine, index=index).actions.propose(action, target)
    text = target.snapshot.text
    return proposal, apply_edits(text, proposal.edits) if proposal.edits else None


def prompt_text(request: CompletionRequest) -> str:
    """Return the text of a prompt, with special tokens as they are."""
    return "".join(f"⟨{part.text}⟩" if isinstance(part, SpecialToken) else part.text for part in request.prompt)
