"""The workspace's settings file, as whoever wrote the repository may have made it: read with limits, one message."""

import os
import time
from pathlib import Path

import pytest

from spark_lsp.app import usual_context_tokens
from spark_lsp.server.settings import MAX_FILE_BYTES, WORKSPACE_FILE, read_settings

DEEP = {
    "dotted_key": "a." * 30_000 + "b = 1\n",
    "quoted_key": "'a'." * 15_000 + "b = 1\n",
    "spaced_key": "a . " * 15_000 + "b = 1\n",
    "table": "[" + "a." * 30_000 + "b]\nc = 1\n",
    "inline_table": "x = {" + "a." * 30_000 + "b = 1}\n",
    "arrays": "x = " + "[" * 30_000,
    "tables": "x = " + "{a = " * 12_000,
    "behind_a_comment": '# """\n' + "a." * 30_000 + 'b = 1\n# """\n',
    "behind_a_string": 'x = "\\""\n' + "a." * 30_000 + "b = 1\n",
}


def _messages(root: Path) -> list[str]:
    settings, messages = read_settings(root, {}, {})
    assert settings.completion.enabled, "the defaults hold"
    return messages


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP)
def test_a_file_that_is_too_deep_is_refused_at_once(text: str, tmp_path: Path) -> None:
    (tmp_path / WORKSPACE_FILE).write_text(text)
    began = time.process_time()
    messages = _messages(tmp_path)
    assert len(messages) == 1
    assert "nested deeper" in messages[0]
    assert time.process_time() - began < 1


def test_a_large_file_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / WORKSPACE_FILE).open("wb") as file:
        file.truncate(1_000_000_000)
    assert _messages(tmp_path) == [f"{WORKSPACE_FILE} is ignored: it is larger than {MAX_FILE_BYTES // 1024} KiB."]


@pytest.mark.parametrize("kind", ["fifo", "device", "folder"])
def test_what_is_no_file_is_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / WORKSPACE_FILE
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    messages = _messages(tmp_path)
    assert len(messages) == 1
    assert messages[0].startswith(f"{WORKSPACE_FILE} is ignored: ")


def test_dots_and_brackets_in_strings_are_no_depth(tmp_path: Path) -> None:
    globs = ", ".join(f'"{"a." * 40}{"[" * 40}{number}"' for number in range(3))
    (tmp_path / WORKSPACE_FILE).write_text(f"[context]\nexclude = [{globs}, '''{'b.' * 40}''']  # {'c.' * 40}\n")
    settings, messages = read_settings(tmp_path, {}, {})
    assert messages == []
    assert len(settings.context.exclude) == 4


def test_a_deep_value_of_the_editor_is_one_message(tmp_path: Path) -> None:
    value: object = 1
    for _ in range(5_000):
        value = {"a": value}
    settings, messages = read_settings(tmp_path, {"completion": value, "context": [value]}, {})
    assert settings.completion.enabled
    assert messages


@pytest.mark.parametrize(
    ("own", "users", "prompt_tokens", "engine_tokens"),
    [
        ("", {}, 131_072, 131_072),
        ("context.maxTokens = 1024", {}, 1_024, 131_072),
        ("context.maxTokens = 1024", {"context": {"maxTokens": 4_096}}, 4_096, 4_096),
        ("context.maxTokens = 1000000", {}, 131_072, 131_072),
    ],
)
def test_a_repository_narrows_prompts_and_never_makes_another_engine(
    own: str, users: dict[str, object], prompt_tokens: int, engine_tokens: int, tmp_path: Path
) -> None:
    """An engine is shared by its set-up, so another size of context loaded the model a second time."""
    (tmp_path / WORKSPACE_FILE).write_text(own)
    settings, _messages = read_settings(tmp_path, users, {})
    assert settings.context.max_tokens == prompt_tokens
    assert usual_context_tokens(tmp_path / "unknown.gguf", settings) == engine_tokens


def test_a_size_in_the_environment_holds_for_the_engine_behind_a_repository_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / WORKSPACE_FILE).write_text("context.maxTokens = 1024")
    monkeypatch.setenv("SPARK_LSP_CONTEXT_MAX_TOKENS", "8192")
    settings, _messages = read_settings(tmp_path, {}, {})
    assert settings.context.max_tokens == 1_024
    assert usual_context_tokens(tmp_path / "unknown.gguf", settings) == 8_192
