"""The pure pieces of the remote engine: addresses, ranking, texts, streams."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_lsp.engine.base import ModelInfo, SpecialToken, TextPart
from spark_lsp.engine.chat_template import Message, prompt_of
from spark_lsp.engine.fim import FAMILIES, family_for_model, family_named
from spark_lsp.engine.remote.hosts import FIRST_REST_S, MAX_REST_S, Health, address_of, ranked, to_ask
from spark_lsp.engine.remote.prompt_text import (
    CHAT_TEMPLATE,
    END,
    MESSAGE,
    ChatMessage,
    as_messages,
    as_text,
    estimated_tokens,
    harmless,
    is_conversation,
)
from spark_lsp.engine.remote.response import EventLines, StopScanner
from spark_lsp.errors import EngineProtocolError, SettingsError

STOPS = ("<|file_sep|>", "<|fim_pad|>", "\n\n\n")


@pytest.mark.parametrize(
    ("url", "expected", "local"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/v1", True),
        ("http://localhost:8080/v1/", "http://localhost:8080/v1", True),
        ("http://[::1]:8000", "http://[::1]:8000/v1", True),
        ("https://Models.Example.com", "https://models.example.com/v1", False),
        ("https://models.example.com:8443/team/v1", "https://models.example.com:8443/team/v1", False),
        (" http://192.168.1.5:11434/v1 ", "http://192.168.1.5:11434/v1", False),
        ("http://127.0.0.1.example.com", "http://127.0.0.1.example.com/v1", False),
        ("http://localhost.example.com", "http://localhost.example.com/v1", False),
    ],
)
def test_addresses(url: str, expected: str, *, local: bool) -> None:
    address = address_of(url)
    assert address.url == expected
    assert address.is_local is local


@pytest.mark.parametrize(
    "url",
    [
        "",
        "models.example.com",
        "ftp://x/v1",
        "http://",
        "http://x:port",
        "https://me:key@x/v1",
        "http://x/v1?key=1",
        "//x",
    ],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(SettingsError, match=r"spark\.backend\.urls") as caught:
        address_of(url)
    assert ":key@" not in str(caught.value), "a password must not be repeated"


@given(st.lists(st.integers(0, 10_000), min_size=2, max_size=8, unique=True), st.text(max_size=20))
def test_when_an_endpoint_goes_only_its_own_workspaces_move(ports: list[int], workspace: str) -> None:
    addresses = [address_of(f"http://10.0.0.1:{port + 1}") for port in ports]
    order = ranked(addresses, workspace)
    assert sorted(order, key=str) == sorted(addresses, key=str)
    assert ranked(addresses[::-1], workspace) == order
    for gone in addresses:
        left = [address for address in addresses if address != gone]
        assert ranked(left, workspace) == [address for address in order if address != gone]


def test_workspaces_spread() -> None:
    addresses = [address_of(f"http://10.0.0.{number}") for number in range(1, 5)]
    firsts = [ranked(addresses, f"/home/user/project-{number}")[0] for number in range(400)]
    assert all(60 < firsts.count(address) < 140 for address in addresses)


@given(st.lists(st.booleans(), max_size=40))
def test_an_endpoint_is_never_left_alone_for_long_and_never_given_up(outcomes: list[bool]) -> None:
    endpoint, now = Health(address_of("http://10.0.0.1")), 0.0
    for answered in outcomes:
        now += 0.5
        if answered:
            endpoint.answered()
            assert not endpoint.rests(now)
            assert not endpoint.failure
        else:
            endpoint.failed("cannot be reached", now)
            assert FIRST_REST_S <= endpoint.rests_until - now <= MAX_REST_S
        assert to_ask([endpoint], now) == [endpoint]


@given(st.text(st.characters(), max_size=80) | st.text("<|>fim_sep[PREFIX]▁｜\n", max_size=80))
def test_harmless_text_holds_no_special_token_and_all_else(text: str) -> None:
    shown = harmless(text)
    shown.encode()  # nothing in it has no place in UTF-8
    assert shown.replace(" ", "") == text.encode("utf-8", "replace").decode().replace(" ", "")
    for family in FAMILIES:
        for control in (*family.required, *family.stops, "<|im_start|>", "<|endoftext|>"):
            assert control not in shown
    if not {"<", "[", "▁"} & {*text}:
        assert shown == text.encode("utf-8", "replace").decode()


def test_code_stays_as_it_is() -> None:
    for code in ("a < b | c > d", "xs[0][1]", "List<Map<String, Integer>>", "<s>x</s>", "if (a<|b) |> f", "[PREFIX"):
        assert harmless(code) == code


def test_a_prompt_is_its_parts_in_order() -> None:
    parts = (
        SpecialToken("<|fim_prefix|>"),
        TextPart("a"),
        SpecialToken("<|fim_suffix|>"),
        TextPart("b"),
        SpecialToken("<|fim_middle|>"),
    )
    assert as_text(parts) == "<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>"


def remote_model() -> ModelInfo:
    """What the remote engine tells of a model that can be talked to."""
    return ModelInfo(
        name="m", path="", family="", fim_order="psm", architecture="remote", vocabulary_size=0,
        trained_context_tokens=0, context_tokens=0, has_chat_template=True, size_bytes=0, fingerprint="",
        chat_template=CHAT_TEMPLATE, special_token_texts=(MESSAGE, END),
    )  # fmt: skip


@given(
    st.lists(
        st.tuples(st.sampled_from(["user", "assistant"]), st.text("ab<|>\n {}%", max_size=30)), min_size=1, max_size=5
    ),
    st.sampled_from(["", "```python\n"]),
)
def test_a_conversation_comes_out_as_it_went_in(turns: list[tuple[str, str]], opening: str) -> None:
    """What actions say by the model's chat template reaches the server's chat endpoint as messages again."""
    messages = [Message("system", "You edit."), *(Message(role, text) for role, text in turns)]  # type: ignore[arg-type]
    parts = prompt_of(remote_model(), messages, opening)
    assert is_conversation(parts)
    expected = tuple(ChatMessage(message.role, harmless(message.text)) for message in messages)
    assert as_messages(parts) == (expected, opening)


@given(st.lists(st.sampled_from(["a", "<", "<|", "file", "_sep|>", "\n", "fim_pad|>", " "]), max_size=30))
def test_how_a_stream_is_cut_changes_nothing(pieces: list[str]) -> None:
    text = "".join(pieces)
    whole = StopScanner(STOPS)
    shown, stopped = whole.feed(text)
    expected = shown if stopped else shown + whole.flush()
    scanner, seen = StopScanner(STOPS), ""
    for piece in pieces:
        shown, ended = scanner.feed(piece)
        seen += shown
        assert not any(stop in seen for stop in STOPS)
        if ended:
            break
    else:
        seen += scanner.flush()
        assert not stopped
    assert seen == expected


@given(st.lists(st.text("ab:é\n\r", max_size=8), max_size=8), st.integers(1, 7))
def test_lines_do_not_hang_on_how_bytes_arrive(texts: list[str], size: int) -> None:
    data = "".join(texts).encode()
    lines = EventLines()
    read_lines = [line for at in range(0, len(data), size) for line in lines.feed(data[at : at + size])]
    assert read_lines == [text for line in data.decode().split("\n")[:-1] if (text := line.rstrip("\r"))]
    assert lines.rest == data.split(b"\n")[-1]


def test_a_line_without_an_end_is_not_kept_for_ever() -> None:
    lines = EventLines()
    for _ in range(15):
        assert lines.feed(b"a" * 65_536) == []
    with pytest.raises(EngineProtocolError, match="a line of more than"):
        lines.feed(b"a" * 131_072)


def test_lines_have_a_limit_of_number() -> None:
    lines = EventLines(3)
    assert lines.feed(b"a\n\nb\n") == ["a", "b"]
    with pytest.raises(EngineProtocolError, match="too many lines"):
        lines.feed(b"\n")


@given(st.text(max_size=200))
def test_estimates_grow_with_the_text(text: str) -> None:
    (tokens,) = estimated_tokens([text])
    assert (tokens == 0) == (text == "")
    assert tokens <= len(text.encode("utf-8", "replace")) + 1


@pytest.mark.parametrize(
    ("name", "family", "order"),
    [
        ("Qwen/Qwen2.5-Coder-7B", "qwen2.5-coder", "psm"),
        ("qwen2.5-coder:1.5b-base", "qwen2.5-coder", "psm"),
        ("unsloth/Qwen3-Coder-30B-A3B-Instruct-GGUF", "qwen2.5-coder", "psm"),
        ("spark-nano", "qwen2.5-coder", "spm"),
        ("deepseek-ai/DeepSeek-Coder-V2-Lite-Base", "deepseek-coder", "psm"),
        ("bigcode/starcoder2-15b", "starcoder2", "psm"),
        ("JetBrains/Mellum-4b-base", "mellum", "spm"),
        ("codestral-latest", "codestral", "spm"),
        ("ByteDance-Seed/Seed-Coder-8B-Base", "seed-coder", "spm"),
        ("codellama/CodeLlama-7b-hf", "codellama", "psm"),
        ("google/codegemma-2b", "codegemma", "psm"),
        ("ibm-granite/granite-4.0-tiny-base", "granite-4", "psm"),
        ("ibm-granite/granite-8b-code-base", "granite", "psm"),
    ],
)
def test_names_tell_families(name: str, family: str, order: str) -> None:
    assert family_for_model(name) == (family_named(family), order)


@pytest.mark.parametrize("name", ["", "gpt-oss-20b", "llama-3.1-8b", "qwen2.5-7b-instruct"])
def test_a_name_that_tells_nothing_is_not_guessed(name: str) -> None:
    assert family_for_model(name) is None
