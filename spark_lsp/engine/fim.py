"""Fill-in-the-middle families: which special tokens a model was trained on, and the prompt they make. Pure.

A family is known by its special tokens alone (and, where two share a vocabulary, by the model's name); ids are never
hard-coded. A prompt is made of parts, so file text can never become a special token. The engine adds a
begin-of-text token itself where the model's metadata asks for one. Never guesses: an unknown vocabulary has no family.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from spark_lsp.engine.base import PromptPart, SpecialToken, TextPart

Order = Literal["psm", "spm"]


@dataclass(frozen=True, slots=True)
class FimFamily:
    """The special tokens of one family of models and the layout they were trained on."""

    name: str
    prefix: str
    suffix: str
    middle: str
    """Empty for a family that has none."""
    order: Order
    """The order used when the model's own metadata names none."""
    repository: str = ""
    """SpecialToken token before the repository's name; empty for none."""
    file_separator: str = ""
    """SpecialToken token before each file; empty means that files are told apart by ``path_mark`` in plain text."""
    stops: tuple[str, ...] = ()
    """Special tokens that end an answer besides the model's own end-of-generation tokens; some may be missing."""
    repository_end: str = ""
    """Text that follows the repository's name."""
    path_mark: str = ""
    """Plain text before each path; such files travel inside the prefix slot, as one longer document."""
    file_end: str = "\n"
    """What the text of another file ends in."""
    path_inside: bool = False
    """The current file's path follows the prefix token (StarCoder2) instead of preceding it."""
    lead: str = ""
    """Text that opens the slot of a prompt without other files: the blank that a SentencePiece tokenizer put before
    every text in training, and that the engine leaves out because it continues texts."""
    fused: bool = False
    """In suffix-first order, prefix and suffix token stand together in front (how Qwen-like models are trained)."""
    begins_middle: bool = False
    """In prefix-first order the last lines before the cursor stand behind the middle token, as a begun answer. Typing
    then appends to the prompt, and Qwen2.5-Coder completes better: docs/decisions/begun-lines.md has the figures."""
    named: tuple[str, ...] = ()
    """Words of which the model's name must hold one; empty where the vocabulary alone is telling."""

    @property
    def required(self) -> tuple[str, ...]:
        """The special tokens without which a model is not of this family."""
        every = (self.prefix, self.suffix, self.middle, self.repository, self.file_separator)
        return tuple(text for text in every if text)


_PIPED: Final = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
_PLAIN: Final = ("<fim_prefix>", "<fim_suffix>", "<fim_middle>")

# Sources: the models' own cards and tokenizers, as tests/engine/golden/ spells them out token by token.
# Where two rows share tokens the telling one comes first.
FAMILIES: Final[tuple[FimFamily, ...]] = (
    FimFamily(  # also Qwen3-Coder: same spellings, other ids
        "qwen2.5-coder",
        *_PIPED,
        "psm",
        repository="<|repo_name|>",
        file_separator="<|file_sep|>",
        stops=(*_PIPED, "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<|im_start|>", "<|im_end|>"),
        repository_end="\n",
        fused=True,
        begins_middle=True,
    ),
    FimFamily(
        "deepseek-coder",
        "<｜fim▁begin｜>",
        "<｜fim▁hole｜>",
        "<｜fim▁end｜>",
        "psm",
        stops=("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),
        path_mark="#",
    ),
    FimFamily(
        "starcoder2",
        *_PLAIN,
        "psm",
        repository="<repo_name>",
        file_separator="<file_sep>",
        stops=(*_PLAIN, "<fim_pad>", "<repo_name>", "<file_sep>"),
        path_inside=True,
        fused=True,
    ),
    FimFamily(
        "mellum",
        *_PLAIN,
        "spm",
        file_separator="<filename>",
        stops=(*_PLAIN, "<fim_pad>", "<filename>", "<reponame>"),
        named=("mellum",),
    ),
    FimFamily(  # the spellings of StarCoder 1, which Refact and others took over
        "granite",
        *_PLAIN,
        "psm",
        repository="<reponame>",
        file_separator="<filename>",
        stops=(*_PLAIN, "<fim_pad>", "<filename>", "<reponame>"),
        fused=True,
    ),
    FimFamily(
        "granite-4",
        *_PIPED,
        "psm",
        repository="<|reponame|>",
        file_separator="<|filename|>",
        stops=(*_PIPED, "<|fim_pad|>", "<|filename|>", "<|reponame|>", "<|start_of_role|>"),
        fused=True,
    ),
    FimFamily(
        "codegemma",
        *_PIPED,
        "psm",
        file_separator="<|file_separator|>",
        stops=(*_PIPED, "<|file_separator|>"),
        fused=True,
    ),
    FimFamily(
        "seed-coder",
        "<[fim-prefix]>",
        "<[fim-suffix]>",
        "<[fim-middle]>",
        "spm",
        stops=("<[fim-prefix]>", "<[fim-suffix]>", "<[fim-middle]>"),
        path_mark="<filename>",
    ),
    FimFamily(
        "codellama",
        "▁<PRE>",
        "▁<SUF>",
        "▁<MID>",
        "psm",
        stops=("▁<PRE>", "▁<SUF>", "▁<MID>", "▁<EOT>"),
        path_mark="#",
        lead=" ",  # codellama's infilling_prompt_tokens encodes the prefix as a text of its own, the suffix not
        fused=True,
    ),
    FimFamily(
        "codestral",
        "[PREFIX]",
        "[SUFFIX]",
        "",
        "spm",
        stops=("[PREFIX]", "[SUFFIX]", "[MIDDLE]"),
        path_mark="+++++ ",
        file_end="\n\n",
        lead=" ",  # mistral-common's encode_fim, likewise
    ),
)


def family_of(resolves: Callable[[str], bool], model_name: str = "") -> FimFamily | None:
    """Return the first family whose every required special token resolves, or None.

    ``resolves(text)`` says whether the text is exactly one special token of the vocabulary.
    """
    name = model_name.casefold()
    for family in FAMILIES:
        if family.named and not any(word in name for word in family.named):
            continue
        if all(resolves(text) for text in family.required):
            return family
    return None


def family_named(name: str) -> FimFamily | None:
    """Return the family of that name, or None."""
    return next((family for family in FAMILIES if family.name == name), None)


_NAMES: Final[tuple[tuple[str, str, Order], ...]] = (
    ("spark-nano", "qwen2.5-coder", "spm"),
    ("qwen2.5-coder", "qwen2.5-coder", "psm"),
    ("qwen2.5-7b-coder", "qwen2.5-coder", "psm"),
    ("qwen3-coder", "qwen2.5-coder", "psm"),
    ("deepseek-coder", "deepseek-coder", "psm"),
    ("starcoder2", "starcoder2", "psm"),
    ("mellum", "mellum", "spm"),
    ("granite-4", "granite-4", "psm"),
    ("granite", "granite", "psm"),
    ("starcoder", "granite", "psm"),
    ("refact", "granite", "psm"),
    ("codegemma", "codegemma", "psm"),
    ("seed-coder", "seed-coder", "spm"),
    ("codellama", "codellama", "psm"),
    ("code-llama", "codellama", "psm"),
    ("codestral", "codestral", "spm"),
)
"""What the name of a served model holds -> family and order; the first that fits counts."""


def family_for_model(name: str) -> tuple[FimFamily, Order] | None:
    """Return family and order of a model of which only the name is known, as remote endpoints tell it; None unknown."""
    plain = name.casefold().replace("_", "-").replace(" ", "-")
    for words, family_name, order in _NAMES:
        if words in plain:
            family = family_named(family_name)
            return (family, order) if family else None
    return None


@dataclass(frozen=True, slots=True)
class FileBlock:
    """Text of another file, or a part of it, to be shown ahead of the current one. ``path`` uses ``/``."""

    path: str
    text: str
    stable: bool


def build_prompt(
    family: FimFamily,
    order: Order,
    *,
    repository: str,
    blocks: Sequence[FileBlock],
    current_path: str,
    prefix: str,
    suffix: str,
    opening: str = "",
    begun: str = "",
) -> tuple[PromptPart, ...]:
    """Lay out a prompt as the family was trained on it. Empty pieces are left out.

    With neither a repository nor blocks the prompt is the middle part alone. A piece stays ``stable`` only while all
    pieces before it are. The prefix is marked ``heal``: it ends at the cursor, which may be in the middle of a token.
    ``opening`` is text of the current file from above the prefix, such as its imports: a piece of its own, so that what
    stands behind it can move without it. ``begun`` are lines between prefix and cursor that stand behind the middle
    token where the order has one.
    """
    if order != "psm" or not family.middle:
        prefix, begun = prefix + begun, ""
    context = bool(repository or blocks)
    above = [TextPart(opening)] if opening else []
    parts: list[PromptPart]
    if family.path_mark:
        before = _marked_blocks(family, blocks) if context else []
        path = [TextPart(f"{family.path_mark}{current_path}\n")] if context else []
        lead = family.lead if prefix and not context else ""
        parts = _middle(family, order, [*before, *path, *above, TextPart(lead + prefix, heal=True)], suffix, begun)
    elif family.path_inside:
        path = [TextPart(f"{current_path}\n")] if context else []
        head: list[PromptPart] = [SpecialToken(family.file_separator)] if context else []
        parts = [
            *_separated_blocks(family, repository, blocks),
            *head,
            *_middle(family, order, [*path, *above, TextPart(prefix, heal=True)], suffix, begun),
        ]
    else:
        head = [SpecialToken(family.file_separator), TextPart(f"{current_path}\n")] if context else []
        parts = [
            *_separated_blocks(family, repository, blocks),
            *head,
            *_middle(family, order, [*above, TextPart(prefix, heal=True)], suffix, begun),
        ]
    return tuple(_settled(parts))


def block_parts(family: FimFamily, block: FileBlock) -> list[PromptPart]:
    """Return the parts that one block adds to a prompt, so that it can be counted by itself."""
    return [*_marked_blocks(family, [block])] if family.path_mark else _separated_blocks(family, "", [block])


def prompt_tokens(parts: Sequence[PromptPart], counts: Sequence[int]) -> int:
    """Return the tokens of a prompt: one for each special token, and the given counts of its pieces in order."""
    special_tokens = sum(isinstance(part, SpecialToken) for part in parts)
    assert len(counts) == len(parts) - special_tokens, "one count for each piece"
    return special_tokens + sum(counts)


def pieces(parts: Sequence[PromptPart]) -> list[str]:
    """Return the texts of the pieces in order, as ``Engine.count_tokens`` wants them."""
    return [part.text for part in parts if isinstance(part, TextPart)]


def _separated_blocks(family: FimFamily, repository: str, blocks: Sequence[FileBlock]) -> list[PromptPart]:
    parts: list[PromptPart] = []
    if family.repository and repository:
        parts += [SpecialToken(family.repository), TextPart(repository + family.repository_end, stable=True)]
    for block in blocks:
        text = f"{block.path}\n{_ended(block.text, family.file_end)}"
        parts += [SpecialToken(family.file_separator), TextPart(text, stable=block.stable)]
    return parts


def _marked_blocks(family: FimFamily, blocks: Sequence[FileBlock]) -> list[TextPart]:
    return [
        TextPart(
            f"{family.path_mark}{block.path}\n{_ended(block.text, family.file_end)}",
            stable=block.stable,
        )
        for block in blocks
    ]


def _middle(family: FimFamily, order: Order, before: Sequence[TextPart], suffix: str, begun: str) -> list[PromptPart]:
    """The middle part. The answer follows the last part, so a family without a middle token has the suffix first."""
    middle = [SpecialToken(family.middle)] if family.middle else []
    after = TextPart(suffix)
    if begun:  # the cursor is behind it, so the prefix ends where its tokens do
        above = [TextPart(part.text) for part in before]
        return [
            SpecialToken(family.prefix),
            *above,
            SpecialToken(family.suffix),
            after,
            *middle,
            TextPart(begun, heal=True),
        ]
    if order == "psm" and middle:
        return [SpecialToken(family.prefix), *before, SpecialToken(family.suffix), after, *middle]
    if family.fused:
        return [SpecialToken(family.prefix), SpecialToken(family.suffix), after, *middle, *before]
    return [SpecialToken(family.suffix), after, SpecialToken(family.prefix), *before, *middle]


def _ended(text: str, end: str) -> str:
    body = text.rstrip("\n")
    return body + end if body else ""


def _settled(parts: Sequence[PromptPart]) -> list[PromptPart]:
    """Drop empty parts, and make no part stable after a volatile one."""
    settled: list[PromptPart] = []
    stable = True
    for part in parts:
        if isinstance(part, SpecialToken):
            settled.append(part)
        elif part.text:
            stable = stable and part.stable
            settled.append(TextPart(part.text, stable=stable, heal=part.heal))
    return settled
