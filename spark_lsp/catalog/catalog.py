"""The known models and where their files lie.

A model is named by a name of this list or by the path of a GGUF file; nothing means the embedded model. This module
looks whether a file is there, never into it: what the weights hold is the engine's to say.
"""

from dataclasses import dataclass
from pathlib import Path

from spark_lsp.errors import ModelMissing

EMBEDDED_NAME = "spark-nano"

_PACKAGE = Path(__file__).resolve().parent.parent
EMBEDDED_PATHS = (
    _PACKAGE / "models" / "spark-nano.gguf",
    _PACKAGE.parent / "models" / "spark-nano" / "spark-nano.gguf",
)
"""Where the embedded model lies in an installed wheel, and in a checkout; the first that exists is it."""


@dataclass(frozen=True, slots=True)
class KnownModel:
    """One row of the catalogue. ``parameters`` counts weights; ``languages`` are those it was trained on."""

    name: str
    summary: str
    licence: str
    parameters: int
    languages: tuple[str, ...]
    paths: tuple[Path, ...]
    useful_tokens: int = 0
    """Longest prompt that it makes good use of, where that is less than what it accepts; 0 for no such limit."""

    @property
    def path(self) -> Path | None:
        """The file on this machine, or None while it is not here."""
        return next((path for path in self.paths if _is_file(path)), None)

    @property
    def size_bytes(self) -> int:
        """Size of the file on this machine; 0 while it is not here."""
        path = self.path
        return path.stat().st_size if path else 0


MODELS = (
    KnownModel(
        name=EMBEDDED_NAME,
        summary="Embedded default. Very small and barely trained: it shows the machinery, its text is weak.",
        licence="MIT",
        parameters=6_500_000,
        languages=("python",),
        paths=EMBEDDED_PATHS,
        useful_tokens=800,  # trained on samples of 100 to 1,000 tokens; behind 3,500 its text is unrelated
    ),
)
"""All models that have a name, in the order of ``spark-lsp models list``."""


def known_model(name: str) -> KnownModel | None:
    """Return the model of that name, or None."""
    return next((model for model in MODELS if model.name == name), None)


def resolve_model(name_or_path: str = "") -> Path:
    """Return the file of a model; empty means the embedded one. A relative path starts at the working directory.

    Raises:
        ModelMissing: no such name and no such file; the message says what was looked for.
    """
    wanted = name_or_path.strip() or EMBEDDED_NAME
    model = known_model(wanted)
    if model:
        if model.path:
            return model.path
        raise ModelMissing(
            f"The model {model.name} is not where it should be: {model.paths[0]}.",
            fix="Reinstall spark-lsp, or set spark.model to the path of a GGUF file.",
        )
    path = _expand(wanted)
    if _is_file(path):
        return path
    names = ", ".join(known.name for known in MODELS)
    if _is_dir(path):
        raise ModelMissing(
            f"The model {wanted} is a folder ({path}), not a GGUF file.", fix="Name one .gguf file in the folder."
        )
    raise ModelMissing(
        f"There is no model named {wanted} and no file {path}.",
        fix=f"Set spark.model to one of these names ({names}), to the path of a GGUF file, or leave it empty.",
    )


def useful_tokens(path: Path) -> int:
    """Return the longest prompt that the model in a file makes good use of; 0 where nothing is known of it."""
    return next((model.useful_tokens for model in MODELS if path in model.paths), 0)


def _expand(text: str) -> Path:
    """Make a path absolute; ``~`` without a home directory stays as it is."""
    path = Path(text)
    try:
        path = path.expanduser()
        return path.resolve()
    except (RuntimeError, OSError, ValueError):  # no home, a link loop, a null character
        return path.absolute()


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long, a folder that may not be entered
        return False


def _is_dir(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False
