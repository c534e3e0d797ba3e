"""Planted secrets appear in no prompt for another file, in no index on disk and in no trace; ordinary files stay."""

import importlib
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.harness.fixture import parse_fixture
from spark_lsp.engine.base import TextPart
from spark_lsp.engine.remote.prompt_text import as_text
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.index.store import Index
from spark_lsp.secret_text import has_secret, masked
from spark_lsp.text.language import language_of_path
from tests.index.secret_kinds import KINDS
from tests.support.workspace import TestWorkspace, snapshot_of

MAX_KINDS_THAT_PASS = 2
MAX_FALSE_ALARMS = 0.001


def leaked(secret: str, text: str) -> bool:
    """Whether a text holds the part of a secret that opens something: what is no address and no name of its kind."""
    core = "hunter2" if "hunter2@" in secret else secret.rpartition("sig=")[2][-20:]
    return core in text


def shown(kind: str) -> str:
    """Return what another file's prompt may hold of a planted file."""
    planted = KINDS[kind]
    if has_secret(planted.whole):
        return ""
    return masked(planted.whole, is_code=language_of_path(planted.path) is not None)


def test_there_are_sixty_kinds_and_at_most_two_pass() -> None:
    passed = [kind for kind in KINDS if leaked(KINDS[kind].secret, shown(kind))]
    assert len(KINDS) >= 60
    assert len(passed) <= MAX_KINDS_THAT_PASS, passed


def test_a_mask_keeps_length_lines_and_code() -> None:
    for kind, planted in KINDS.items():
        text = masked(planted.whole, is_code=language_of_path(planted.path) is not None)
        assert len(text) == len(planted.whole), kind
        assert text.count("\n") == planted.whole.count("\n"), kind
        assert text[0] == planted.whole[0], kind


PARTS = ["password", "token", " = ", ": ", "'", '"', "://", "@", "a1B2", "\n", "\u0130", "\u212a", "/"]


@given(st.lists(st.sampled_from(PARTS), max_size=30).map("".join))
def test_a_mask_never_changes_the_length(text: str) -> None:
    for is_code in (True, False):
        hidden = masked(text, is_code=is_code)
        assert len(hidden) == len(text)
        assert all(new in (old, "*") for old, new in zip(text, hidden, strict=True))


@pytest.mark.parametrize(
    "text",
    [
        'password = "password"',
        'password = os.environ["DB_PASSWORD"]',
        'self.password = config["password"]',
        'password: "Please enter your password"',
        'PASSWORD_FIELD = "user_password"',
        'token = "access_token"',
        'api_key = "<your key>"',
        'url = "postgresql://user:${PASSWORD}@host/db"',
        'url = "https://user:password@host/"',
        '{"NextToken": "9f4d9f69-275a-41fe-b58e-2b837bd9ba48"}',
        "openssl = ['openssl_pkey_get', 'ssh2_auth_password', 'ssh2_auth_pubkey_file']",
        'compass = "north-12"',
    ],
)
def test_code_that_only_speaks_of_secrets_stays(text: str) -> None:
    assert masked(text) == text


@pytest.mark.slow
@pytest.mark.parametrize("package", ["json", "email", "http", "urllib", "pip", "pygments", "numpy", "hypothesis"])
def test_files_of_others_raise_no_alarm(package: str) -> None:
    """Shortened: the standard library and every installed package are in docs/decisions/secrets.md."""
    folder = Path(str(importlib.import_module(package).__file__)).parent
    files = sorted(folder.rglob("*.py"))
    texts = [(path, path.read_text("utf-8", "replace")) for path in files]
    alarms = [str(path) for path, text in texts if has_secret(text) or masked(text) != text]
    assert len(alarms) <= max(1, MAX_FALSE_ALARMS * len(texts)), alarms
    assert texts, sys.path


async def test_none_reaches_a_prompt_the_index_on_disk_or_the_trace(tmp_path: Path) -> None:
    """All kinds in one workspace of which another file is completed, with a cached prefix of every file."""
    root, cache = tmp_path / "w", tmp_path / "cache" / "index.db"
    for number, planted in enumerate(KINDS.values()):
        folder = root / f"kind{number}"
        folder.mkdir(parents=True)
        helper = f"def helper_{number}(value):\n    return value\n\n\n" if planted.path.endswith(".py") else ""
        (folder / planted.path).write_text(helper + planted.whole, "utf-8")
    fixture = parse_fixture(
        "#- main.py\nfrom kind0.app import helper_0\n\n\ndef main(password, token):\n    value = helper_0($0)\n"
    )
    (root / "main.py").write_text(fixture.text, "utf-8")
    index = Index(root, cache_path=cache)
    index.refresh()
    engine = ScriptedEngine(["x"], context_tokens=65_536)
    workspace = TestWorkspace(engine, index=index, ceiling_tokens=60_000)
    await engine.start()
    workspace.context.model.fix_size(60_000)
    await workspace.context.prefix.rebuild(["main.py"])
    workspace.context.prefix.assume_resident()
    packed = await workspace.context.pack_for(snapshot_of("main.py", fixture.text), fixture.offset)
    index.close()
    trace = msgspec.json.encode(workspace.log).decode()
    disk = b"".join(path.read_bytes() for path in cache.parent.rglob("*") if path.is_file()).decode("latin-1")
    assert "helper_" in packed.text
    assert any(segment.kind in {"file", "signature"} for segment in packed.segments), "the cached prefix is in it"
    for where, text in (("prompt", packed.text), ("disk", disk), ("trace", trace)):
        passed = [kind for kind, planted in KINDS.items() if leaked(planted.secret, text)]
        assert len(passed) <= MAX_KINDS_THAT_PASS, (where, passed)


def test_a_remote_endpoint_gets_the_own_file_without_them() -> None:
    """The file that is completed: on this machine the model sees it as it is, an endpoint never sees the secret."""
    kinds = [kind for kind, planted in KINDS.items() if language_of_path(planted.path) is not None]
    passed = [kind for kind in kinds if leaked(KINDS[kind].secret, as_text([TextPart(KINDS[kind].whole)]))]
    assert len(passed) <= MAX_KINDS_THAT_PASS, passed
