"""Samples: holes in source files, laid out token for token as the packer lays out a prompt, the answer behind it.

Every prompt is made by ``engine.fim.build_prompt``; each of its pieces is tokenised in isolation, as in the engine.
Deterministic: (seed, number, progress) names a sample. Needs no torch.
"""

import random
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from models.training.corpus_file import SourceFile
from models.training.holes import Hole, choose_hole
from models.training.prompt import Order, Prompt
from models.training.renaming import fresh_name, may_be_renamed, parts_of, renamed
from models.training.siblings import IDENTIFIER, Library, choose_blocks
from models.training.tokenizer import END, Encoder
from spark_lsp.engine.base import SpecialToken
from spark_lsp.engine.fim import FimFamily, family_named
from spark_lsp.text.snapshot import LineTable

MIN_TOKENS = 96
CHARACTERS_PER_TOKEN = 3.0  # low, so that few samples come out longer than they may be
MAX_FILE_WEIGHT = 40_000  # characters; a longer file is not chosen more often

# (share of the run, shortest, longest): short first, so that holes and their ends are learnt early.
STAGES = ((0.2, MIN_TOKENS, 512), (0.6, MIN_TOKENS, 2048), (1.0, 192, 8192))

WITH_SIBLINGS, WITH_HEADER = 0.7, 0.2  # the rest is the bare hole of a file that is in no workspace
# One hole of ten needs a name that only the shown blocks have; at that share a model does not learn to look there.
TOLD, TOLD_TRIES = 0.5, 12  # share of samples with siblings whose answer needs such a name, where the file has one
NOVEL_BEFORE_CHARACTERS, NOVEL_BEHIND_CHARACTERS = 900, 300  # where such a name does not stand yet
RENAMED, RENAMED_RELATED = 0.5, 4  # share of those in which the names are new ones, and how many others change too
# How the edges of a window move (spark_lsp/prompt/window.py): a line for so many characters, up to a limit.
PREFIX_STEP_CHARACTERS, SUFFIX_STEP_CHARACTERS = 192, 96
MAX_PREFIX_STEP_LINES, MAX_SUFFIX_STEP_LINES = 16, 8
PREFIX_SHARE = 0.75  # of the window; the packer gives a prefix three times the suffix (budget.py: .50 to .17)


@dataclass(frozen=True, slots=True)
class Sample:
    """Token ids; the answer begins at ``prompt_tokens`` and ends with the end token.

    ``prefix_line_ends`` are the places of tokens in the text before the cursor that end a line.
    """

    ids: list[int]
    prompt_tokens: int
    prefix_line_ends: tuple[int, ...] = ()

    @property
    def middle(self) -> list[int]:
        """The answer with its end token."""
        return self.ids[self.prompt_tokens :]


def family() -> FimFamily:
    """Return the family whose special tokens the tokenizer has."""
    qwen_family = family_named("qwen2.5-coder")
    assert qwen_family, "the engine knows the family of its own model"
    return qwen_family


def length_limits(progress: float, longest: int) -> tuple[int, int]:
    """Return the shortest and the longest sample, in tokens, at a share of the run."""
    low, high = next(((low, high) for end, low, high in STAGES if progress < end), STAGES[-1][1:])
    return min(low, longest), min(high, longest)


def window(text: str, hole: Hole, characters: int, prefix_share: float = PREFIX_SHARE) -> tuple[str, str]:
    """Return prefix and suffix of a hole within a number of characters, cut where the packer cuts.

    The packer never sees the middle, so the edges are those of the text without it.
    """
    bare = text[: hole.start] + text[hole.end :]
    lines = LineTable.of(bare)
    line = lines.line_of(hole.start)
    before = int(characters * prefix_share)
    step = min(MAX_PREFIX_STEP_LINES, max(1, before // PREFIX_STEP_CHARACTERS))
    starts = [lines.starts[number] for number in range(0, line + 1, step)]
    start = next((candidate for candidate in starts if hole.start - candidate <= before), lines.starts[line])
    after = characters - min(before, hole.start - start)
    step = min(MAX_SUFFIX_STEP_LINES, max(1, after // SUFFIX_STEP_CHARACTERS))
    ends = [lines.starts[number] for number in range(line + step, len(lines.starts), step)]
    reachable = [reach for reach in (lines.ends[line], *ends, len(bare)) if reach - hole.start <= after]
    end = max(reachable, default=hole.start)
    return bare[max(start, hole.start - characters) : hole.start], bare[hole.start : end]


@dataclass(frozen=True)
class Sampler:
    """Makes samples from a corpus."""

    files: Sequence[SourceFile]
    vocabulary: Encoder
    longest: int = 8192
    order: Order = "spm"

    @cached_property
    def _cumulated(self) -> list[int]:
        return list(accumulate(min(len(file.text), MAX_FILE_WEIGHT) for file in self.files))

    @cached_property
    def library(self) -> Library:
        """The files by package, and what defines what."""
        return Library.of(self.files)

    def sample(self, seed: int, number: int, progress: float) -> Sample:
        """Return one sample; the same arguments give the same."""
        chance = random.Random(f"{seed}:{number}")
        low, high = length_limits(progress, self.longest)
        limit = int(low * (high / low) ** chance.random())
        while True:
            sample = self.encode(self.prompt(chance, limit), limit)
            if sample is not None:
                return sample

    def prompt(self, chance: random.Random, limit: int) -> Prompt:
        """Choose a hole and what is shown around it, for about ``limit`` tokens."""
        file = self.files[bisect_left(self._cumulated, chance.randrange(self._cumulated[-1]) + 1)]
        room = int(limit * CHARACTERS_PER_TOKEN)
        kind = chance.random()
        is_told = kind < WITH_SIBLINGS * TOLD
        choose = self._told_hole if is_told else choose_hole
        hole = choose(chance, file, most_characters=room // 3)
        room -= len(hole.of(file.text))
        if kind >= WITH_SIBLINGS + WITH_HEADER:
            prefix, suffix = window(file.text, hole, room)
            return Prompt("", (), file.path, prefix, suffix, hole.of(file.text))
        room -= len(file.path) + len(file.package)
        siblings_room = int(room * chance.uniform(0.25, 0.75)) if kind < WITH_SIBLINGS else 0
        prefix, suffix = window(file.text, hole, room - siblings_room)
        used = len(prefix) + len(suffix)
        siblings_room = min(siblings_room * 2, room - used) if siblings_room else 0
        blocks = choose_blocks(chance, self.library, file, hole, prefix, suffix, siblings_room)
        prompt = Prompt(file.package, blocks, file.path, prefix, suffix, hole.of(file.text))
        return self._with_new_names(chance, file, prompt) if is_told and chance.random() < RENAMED else prompt

    def _told_hole(self, chance: random.Random, file: SourceFile, *, most_characters: int) -> Hole:
        """Choose a hole that needs a name which other files define and its surroundings lack, if there is one."""
        for _ in range(TOLD_TRIES):
            hole = choose_hole(chance, file, most_characters=most_characters)
            before = file.text[max(0, hole.start - NOVEL_BEFORE_CHARACTERS) : hole.start]
            near = before + " " + file.text[hole.end : hole.end + NOVEL_BEHIND_CHARACTERS]
            if self.library.wanted(file, hole.of(file.text), unless=near):
                break
        return hole

    def _with_new_names(self, chance: random.Random, file: SourceFile, prompt: Prompt) -> Prompt:
        """Give the names that the answer takes from the blocks, and some others there, new ones."""
        places = self.library.places[file.package]
        shown = set(IDENTIFIER.findall("\n".join(block.text for block in prompt.blocks)))
        known = sorted(name for name in shown if name in places and may_be_renamed(name))
        needed = set(IDENTIFIER.findall(prompt.prefix.rsplit("\n", 1)[-1] + prompt.middle)) & set(known)
        others = chance.sample(known, min(len(known), RENAMED_RELATED))
        chosen = sorted({*needed, *others})
        return renamed(prompt, {name: fresh_name(chance, name, self._words) for name in chosen})

    @cached_property
    def _words(self) -> list[str]:
        """The words that names of definitions are made of, each as often as it is used."""
        names = (name for file in self.files for name, _, _ in file.definitions)
        return sorted(part for name in names for part in parts_of(name) if len(part) > 1) or ["name"]

    def encode(self, prompt: Prompt, limit: int) -> Sample | None:
        """Return the tokens of a prompt and its answer, or None where they are more than the limit."""
        ids, last = self._laid_out(prompt)
        while len(ids) + 1 > limit and prompt.blocks:
            prompt = Prompt(
                prompt.repository, prompt.blocks[1:], prompt.path, prompt.prefix, prompt.suffix, prompt.middle
            )
            ids, last = self._laid_out(prompt)
        answer = [*self.vocabulary.encode(prompt.middle), self.vocabulary.special_token(END)]
        if len(ids) + len(answer) > limit:
            return None
        prefix = range(last, len(ids)) if self.order == "spm" else ()  # elsewhere a mark tells that the answer begins
        line_ends = tuple(place for place in prefix if ids[place] in self.vocabulary.line_ends)
        return Sample(ids + answer, len(ids), line_ends)

    def prompt_ids(self, prompt: Prompt) -> list[int]:
        """Return the tokens of a prompt: special tokens by text, each piece in isolation."""
        return self._laid_out(prompt)[0]

    def _laid_out(self, prompt: Prompt) -> tuple[list[int], int]:
        """Return the tokens of a prompt and where its last piece begins."""
        ids: list[int] = []
        last = 0
        for part in prompt.parts(family(), self.order):
            last = len(ids)
            if isinstance(part, SpecialToken):
                ids.append(self.vocabulary.special_token(part.text))
            else:
                ids += self.vocabulary.encode(part.text)
        return ids, last
