"""A hole with what is shown around it, before it is made into tokens."""

from dataclasses import dataclass
from typing import Literal

from spark_lsp.engine.base import PromptPart
from spark_lsp.engine.fim import FileBlock, FimFamily, build_prompt

Order = Literal["spm", "psm"]


@dataclass(frozen=True, slots=True)
class Prompt:
    """A hole as the packer would show it, and the text that belongs there."""

    repository: str
    blocks: tuple[FileBlock, ...]
    path: str
    prefix: str
    suffix: str
    middle: str

    def parts(self, family: FimFamily, order: Order) -> tuple[PromptPart, ...]:
        """Lay the prompt out."""
        return build_prompt(
            family,
            order,
            repository=self.repository,
            blocks=self.blocks,
            current_path=self.path,
            prefix=self.prefix,
            suffix=self.suffix,
        )
