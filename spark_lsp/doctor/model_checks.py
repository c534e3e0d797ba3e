"""Checks which models are pulled, which one is used, and what to pull if there is none."""

from collections.abc import Callable

from spark_lsp.catalog.measured import this_machine
from spark_lsp.catalog.model_names import MODELS, default_model, known_model
from spark_lsp.catalog.optimized import optimize_hint
from spark_lsp.catalog.recommend import Machine, fits, recommend
from spark_lsp.config import Settings
from spark_lsp.doctor.check_result import Check


def pulled_models(settings: Settings, machine: Callable[[], Machine | None] = this_machine) -> list[Check]:
    """Check which models are pulled; no check if the settings name a model or a remote endpoint."""
    if settings.model.strip() or settings.backend.urls:
        return []
    pulled = [model.name for model in MODELS if model.path and not model.is_embedded]
    if pulled:
        chosen = default_model(settings.engine.memory_limit_bytes)
        measured = machine()
        known = known_model(chosen.name)
        hint = optimize_hint(chosen.name, known.path if known else None, measured.card if measured else "")
        faster = f" Run `{hint}` to see whether other weight types are faster here." if hint else ""
        return [Check("models", "ok", f"{', '.join(pulled)}; {chosen.name} is used. {chosen.reason}{faster}")]
    measured = machine()
    named = recommend(fits(MODELS, measured), measured).name if measured else ""
    suits = next((model for model in MODELS if model.name == named and not model.is_embedded), None)
    fix = f"spark-lsp models pull {suits.name}" if suits else "spark-lsp models recommend"
    return [Check("models", "warn", "No model is pulled; the embedded one is used, which is very small.", fix)]
