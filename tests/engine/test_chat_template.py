"""Prompts from the chat templates of published models; no message text becomes a special token."""

import msgspec
import pytest

from spark_lsp.engine.base import ModelInfo, SpecialToken, TextPart
from spark_lsp.engine.chat_template import Message, prompt_of
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.errors import ModelUnusable
from tests.actions.chat.talk import CHATML

LLAMA3 = (
    "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + "
    "message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}"
    "{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate') }}{% endif %}"
    "{% if (message['role'] == 'assistant') %}{% set role = 'model' %}"
    "{% else %}{% set role = message['role'] %}{% endif %}"
    "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}"
)
MISTRAL = (
    "{% if messages[0].role == 'system' %}{% set system = messages[0].content %}"
    "{% set messages = messages[1:] %}{% endif %}"
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {% if loop.first and system is defined %}"
    "{{ system }}\n\n{% endif %}{{ m.content }}[/INST]{% else %} {{ m.content }}{{ eos_token }}{% endif %}{% endfor %}"
)
THINKING = CHATML.replace("assistant\n' }}", "assistant\n<think>\n' }}")
PHI = "{% for m in messages %}{{'<|' + m['role'] + '|>\n' + m['content'] + '<|end|>\n'}}{% endfor %}<|assistant|>\n"

TALK = (Message("system", "Be brief."), Message("user", "Say <|im_end|> or [INST]."))


def _model(template: str, *special_tokens: str, begin: str = "", end: str = "</s>") -> ModelInfo:
    info = ScriptedEngine(["x"])._info
    return msgspec.structs.replace(
        info,
        chat_template=template,
        has_chat_template=True,
        special_token_texts=special_tokens,
        begin_text=begin,
        end_text=end,
    )


def _shown(model: ModelInfo, messages: tuple[Message, ...] = TALK, opening: str = "```py\n") -> str:
    return "".join(
        f"⟨{part.text}⟩" if isinstance(part, SpecialToken) else part.text
        for part in prompt_of(model, messages, opening)
    )


CASES = {
    "chatml": (
        _model(CHATML, "<|im_start|>", "<|im_end|>"),
        (
            "⟨<|im_start|>⟩system\nBe brief.⟨<|im_end|>⟩\n⟨<|im_start|>⟩user\nSay <|im_end|> or [INST].⟨<|im_end|>⟩\n"
            "⟨<|im_start|>⟩assistant\n```py\n"
        ),
    ),
    "llama 3": (
        _model(LLAMA3, "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|b|>", begin="<|b|>"),
        (
            "⟨<|b|>⟩⟨<|start_header_id|>⟩system⟨<|end_header_id|>⟩\n\nBe brief.⟨<|eot_id|>⟩"
            "⟨<|start_header_id|>⟩user⟨<|end_header_id|>⟩\n\nSay <|im_end|> or [INST].⟨<|eot_id|>⟩"
            "⟨<|start_header_id|>⟩assistant⟨<|end_header_id|>⟩\n\n```py\n"
        ),
    ),
    "gemma, which knows no system role": (
        _model(GEMMA, "<start_of_turn>", "<end_of_turn>", "<bos>"),
        "⟨<start_of_turn>⟩user\nBe brief.\n\nSay <|im_end|> or [INST].⟨<end_of_turn>⟩\n⟨<start_of_turn>⟩model\n```py\n",
    ),
    "mistral, whose marks are special tokens": (
        _model(MISTRAL, "[INST]", "[/INST]", "<s>", "</s>"),
        "⟨[INST]⟩ Be brief.\n\nSay <|im_end|> or [INST].⟨[/INST]⟩```py\n",
    ),
    "mistral of old, whose marks are plain text": (
        _model(MISTRAL, "<s>", "</s>"),
        "[INST] Be brief.\n\nSay <|im_end|> or [INST].[/INST]```py\n",
    ),
    "one that thinks aloud": (
        _model(THINKING, "<|im_start|>", "<|im_end|>"),
        (
            "⟨<|im_start|>⟩system\nBe brief.⟨<|im_end|>⟩\n⟨<|im_start|>⟩user\nSay <|im_end|> or [INST].⟨<|im_end|>⟩\n"
            "⟨<|im_start|>⟩assistant\n<think>\n</think>\n\n```py\n"
        ),
    ),
    "phi, which makes its marks of roles": (
        _model(PHI, "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"),
        "⟨<|system|>⟩\nBe brief.⟨<|end|>⟩\n⟨<|user|>⟩\nSay <|im_end|> or [INST].⟨<|end|>⟩\n⟨<|assistant|>⟩```py\n",
    ),
}


@pytest.mark.parametrize(("model", "shown"), CASES.values(), ids=CASES)
def test_rendered(model: ModelInfo, shown: str) -> None:
    assert _shown(model) == shown


def test_what_is_said_stays_text_of_its_own() -> None:
    model = _model(CHATML, "<|im_start|>", "<|im_end|>")
    parts = prompt_of(model, TALK, "")
    assert TextPart("Say <|im_end|> or [INST].") in parts
    assert sum(isinstance(part, SpecialToken) for part in parts) == 5


def test_a_later_turn_is_told() -> None:
    model = _model(MISTRAL, "[INST]", "[/INST]", "</s>")
    talk = (*TALK, Message("assistant", "No."), Message("user", "Why?"))
    assert _shown(model, talk, "") == (
        "⟨[INST]⟩ Be brief.\n\nSay <|im_end|> or [INST].⟨[/INST]⟩ No.⟨</s>⟩⟨[INST]⟩ Why?⟨[/INST]⟩"
    )


BROKEN = {
    "no template": "",
    "a template that does not parse": "{% for %}",
    "one that refuses": "{{ raise_exception('never') }}",
    "one that leaves out what is said": "hello",
    "one that repeats what is said": CHATML + CHATML,
    "one that leaves its sandbox": "{{ ''.__class__.__mro__ }}",
    "one that counts for ever": "{% for i in range(999999999) %}{{ i }}{% endfor %}",
}


@pytest.mark.parametrize("template", BROKEN.values(), ids=BROKEN)
def test_refused_in_one_sentence(template: str) -> None:
    with pytest.raises(ModelUnusable, match=r"chat template") as caught:
        prompt_of(_model(template), TALK, "")
    assert "\n" not in str(caught.value)
