"""The known models and where their files are.

A model is named by a name of this list, by a name that the user gave a file, or by the path of a GGUF file. Nothing
means the best pulled model that suits the machine, else the embedded one: ``default_model`` is the only place that
decides it. This module looks whether a file is there, never into it: what the weights hold is the engine's to say.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from spark_lsp.catalog.folder import registered
from spark_lsp.catalog.known import KnownModel, PublishedShape, is_file
from spark_lsp.catalog.measured import this_machine
from spark_lsp.catalog.optimized import optimized_file
from spark_lsp.catalog.recommend import Recommendation, fits, serving
from spark_lsp.catalog.rows import HUB_MODELS
from spark_lsp.config import Settings
from spark_lsp.errors import ModelMissing, ModelNotPulled

__all__ = [
    "EMBEDDED_NAME",
    "EMBEDDED_PATHS",
    "MODELS",
    "KnownModel",
    "default_model",
    "known_model",
    "model_path",
    "model_reason",
    "original_of",
    "resolve_model",
    "useful_tokens",
]

EMBEDDED_NAME = "spark-nano"

_PACKAGE = Path(__file__).resolve().parent.parent
EMBEDDED_PATHS = (
    _PACKAGE / "models" / "spark-nano.gguf",
    _PACKAGE.parent / "models" / "spark-nano" / "spark-nano.gguf",
)
"""Where the embedded model is in an installed wheel, and in a checkout; the first that exists is it."""

MODELS = (
    KnownModel(
        name=EMBEDDED_NAME,
        summary="Embedded default. Very small: completes familiar lines of Python.",
        licence="MIT",
        parameters=6_500_000,
        languages=("python",),
        paths=EMBEDDED_PATHS,
        useful_tokens=1536,  # trained on samples of up to 2,048 tokens, answers included
        family="qwen2.5-coder",
        native_tokens=2048,
        shape=PublishedShape(6, 6 * 2 * 128, 6_500_000),
    ),
    *HUB_MODELS,
)
"""All models that have a name, in the order of ``spark-lsp models list``."""


def known_model(name: str) -> KnownModel | None:
    """Return the model of that name, or None."""
    return next((model for model in MODELS if model.name == name), None)


def default_model(memory_limit_bytes: int = 0) -> Recommendation:
    """Return the model that serves where the user named none, and why this one.

    The answer depends on the models folder, the machine and ``memory_limit_bytes`` alone, so every process with the
    same settings gives the same one. The first time on a machine with a pulled model this measures for some seconds.
    """
    if all(model.is_embedded or not model.path for model in MODELS):
        return Recommendation(EMBEDDED_NAME, "It is part of spark-lsp, and no other model is on this machine.")
    machine = this_machine()
    if machine is None:
        return Recommendation(EMBEDDED_NAME, "This machine could not be measured; `spark-lsp doctor` says why.")
    machine = replace(machine, limit_bytes=memory_limit_bytes)
    return serving(fits(MODELS, machine), machine)


def resolve_model(name_or_path: str = "", memory_limit_bytes: int = 0) -> Path:
    """Return the file of a model; empty means ``default_model``. A relative path starts at the working directory.

    A file that ``models optimize`` made stands in for its original, unless the original is named by its path.

    Raises:
        ModelMissing: no such name and no such file; the message says what was looked for.
        SettingsError: the list of the user's own models cannot be read.
    """
    original = original_of(name_or_path, memory_limit_bytes)
    wanted = name_or_path.strip()
    is_name = not wanted or known_model(wanted) is not None or wanted in registered()
    return (optimized_file(original) if is_name else None) or original


def original_of(name_or_path: str = "", memory_limit_bytes: int = 0) -> Path:
    """Return the file of a model as it was pulled or added, whether or not another one stands in for it.

    Raises:
        ModelMissing: no such name and no such file; the message says what was looked for.
        SettingsError: the list of the user's own models cannot be read.
    """
    wanted = name_or_path.strip() or default_model(memory_limit_bytes).name
    model = known_model(wanted)
    if model:
        return _path_of(model)
    named = registered().get(wanted)
    path = named or _expand(wanted)
    if is_file(path):
        return path
    if named:
        raise ModelMissing(
            f"The model {wanted} is registered as {named}, but that file no longer exists.",
            fix=f"Put it back, name another one with `spark-lsp models add {wanted} PATH`, or forget it with "
            f"`spark-lsp models remove {wanted}`.",
        )
    if _is_dir(path):
        raise ModelMissing(
            f"The model {wanted} is a folder ({path}), not a GGUF file.", fix="Name one .gguf file in the folder."
        )
    names = ", ".join(known.name for known in MODELS)
    raise ModelMissing(
        f"There is no model named {wanted} and no file {path}.",
        fix=f"Set spark.model to one of these names ({names}), to the path of a GGUF file, or leave it empty.",
    )


def model_path(settings: Settings) -> Path:
    """Return the file of the local model that the settings lead to.

    Raises:
        ModelMissing: it is not there.
    """
    return resolve_model(settings.model, settings.engine.memory_limit_bytes)


def model_reason(settings: Settings) -> str:
    """Return why the local model serves where the settings name none; empty where they do."""
    if settings.model.strip() or settings.backend.urls:
        return ""
    return default_model(settings.engine.memory_limit_bytes).reason


def useful_tokens(path: Path) -> int:
    """Return the longest prompt that the model in a file was trained for; 0 if that is not known."""
    return next((model.useful_tokens for model in MODELS if path in model.places), 0)


def _path_of(model: KnownModel) -> Path:
    if model.path:
        return model.path
    if model.file:
        raise ModelNotPulled(
            f"The model {model.name} ({model.file.size_bytes / 1e9:.1f} GB) is not on this machine yet.",
            fix=f"Run `spark-lsp models pull {model.name}`.",
            pull=lambda progress: _pull(model, progress),
        )
    raise ModelMissing(
        f"The model {model.name} is missing: {model.paths[0]}.",
        fix="Reinstall spark-lsp, or set spark.model to the path of a GGUF file.",
    )


def _pull(model: KnownModel, progress: Callable[[str, int, int], None]) -> object:
    from spark_lsp.catalog.pull import pull  # noqa: PLC0415  brings an HTTP client

    return pull(model, progress)


def _expand(text: str) -> Path:
    """Make a path absolute; ``~`` without a home directory stays as it is."""
    path = Path(text)
    try:
        path = path.expanduser()
        return path.resolve()
    except (RuntimeError, OSError, ValueError):  # no home, a link loop, a null character
        return path.absolute()


def _is_dir(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False
