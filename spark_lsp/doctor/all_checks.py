"""Runs every check, in the order in which the report lists them."""

from dataclasses import replace

from spark_lsp.config import Settings
from spark_lsp.doctor.check_result import Check
from spark_lsp.doctor.editor_checks import editor_checks
from spark_lsp.doctor.engine_checks import model_checks, remote_checks
from spark_lsp.doctor.graphics import look_at_graphics
from spark_lsp.doctor.machine_checks import build_checks, machine_checks, python_checks
from spark_lsp.doctor.model_checks import pulled_models
from spark_lsp.doctor.verdict_checks import verdict_checks


async def all_checks(settings: Settings) -> list[Check]:
    """Return the results of all checks for these settings. Starts the engine, or talks to the remote endpoint."""
    # A remote endpoint needs no llama.cpp here.
    local = [] if settings.backend.urls else [*build_checks(), *look_at_graphics()]
    checks = [*python_checks(), *local, *machine_checks(), *editor_checks(), *verdict_checks(settings.verdict)]
    checks += pulled_models(settings)
    checks += await (remote_checks(settings) if settings.backend.urls else model_checks(settings))
    return [replace(check, fix=" ".join(check.fix.split("\n"))) for check in checks]
