"""Two models: one completes, the other follows instructions; one file may serve both."""

from pathlib import Path

import msgspec
import pytest

from spark_lsp.actions.base import ActionRunner
from spark_lsp.actions.catalog import CATALOG
from spark_lsp.app import open_chat_engine
from spark_lsp.catalog.model_names import EMBEDDED_NAME, resolve_model
from spark_lsp.config import ActionsSettings, BackendSettings, Settings
from spark_lsp.engine.absent import AbsentEngine
from spark_lsp.engine.local.local_engine import LocalEngine
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.errors import ModelMissing
from spark_lsp.text.edit import apply_edits
from tests.actions.chat.talk import aimed, talking
from tests.support.workspace import TestWorkspace

BEFORE = "def twice(w):\n    $0return w + w$0\n"
BODY = "def twice(w):\n    pass$0\n"


def runner(engine: ScriptedEngine, chat_engine: ScriptedEngine) -> ActionRunner:
    workspace = TestWorkspace(engine)
    settings = ActionsSettings()
    return ActionRunner(CATALOG, engine, workspace.context, settings, workspace.log.append, chat_engine=chat_engine)


async def test_each_action_asks_the_model_that_it_needs() -> None:
    base, chat = ScriptedEngine(["return w * 2\n"]), talking(["    return 2 * w\n```"])
    actions = runner(base, chat)
    await base.start()
    target = aimed(BEFORE, instruction="use a product")
    assert "rewrite" in [action.id for action in actions.available(target)], "the base model has no chat template"
    proposal = await actions.propose("rewrite", target)
    assert apply_edits(target.snapshot.text, proposal.edits) == "def twice(w):\n    return 2 * w\n"
    assert (len(base.requests), len(chat.requests)) == (0, 1)
    await actions.propose("implement.body", aimed(BODY))
    assert len(chat.requests) == 1
    assert base.requests


async def test_a_chat_model_without_a_template_says_so() -> None:
    base, chat = talking(["x"]), ScriptedEngine(["x"])
    actions = runner(base, chat)
    await chat.start()
    target = aimed(BEFORE, instruction="use a product")
    assert "rewrite" not in [action.id for action in actions.available(target)]
    assert (
        await actions.propose("rewrite", target)
    ).message == "rewrite needs a model with a chat template, and scripted has none."


def test_one_file_may_serve_both(tmp_path: Path) -> None:
    settings = Settings(model=EMBEDDED_NAME)
    embedded = str(resolve_model(EMBEDDED_NAME))
    assert open_chat_engine(settings) is None
    assert open_chat_engine(msgspec.structs.replace(settings, chat_model=EMBEDDED_NAME)) is None
    assert open_chat_engine(msgspec.structs.replace(settings, chat_model=embedded)) is None
    second = tmp_path / "chat.gguf"
    second.write_bytes(b"GGUF")
    two = msgspec.structs.replace(settings, chat_model=str(second))
    assert isinstance(open_chat_engine(two), LocalEngine)
    remote = BackendSettings(urls=("http://127.0.0.1:9",))
    assert open_chat_engine(msgspec.structs.replace(two, backend=remote)) is None


async def test_a_missing_file_is_named_by_its_own_setting() -> None:
    engine = open_chat_engine(Settings(model=EMBEDDED_NAME, chat_model="no-such-model"))
    assert isinstance(engine, AbsentEngine)
    with pytest.raises(ModelMissing, match=r"^spark\.chatModel: There is no model named no-such-model") as caught:
        await engine.start()
    assert "Set spark.chatModel to one of these names" in caught.value.fix
