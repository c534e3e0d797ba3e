"""``spark-lsp doctor``: finds common setup problems and prints the fix for each."""

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.text import Text

from spark_lsp.cli.oneshot import settings_of
from spark_lsp.cli.terminal import console, err, out_json
from spark_lsp.doctor.all_checks import all_checks
from spark_lsp.doctor.bundle import write_bundle
from spark_lsp.doctor.check_result import Check

_STYLES: Final = {"ok": "green", "warn": "yellow", "fail": "red"}


def doctor(
    *,
    model: Annotated[str, typer.Option(help="Model name or path of a GGUF file.")] = "",
    bundle: Annotated[
        Path | None,
        typer.Option(help="Also write a support file (.zip) with the report, versions, settings and logs; no code."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Find common setup problems of installation, model and editors, and print the fix for each.

    Example: spark-lsp doctor --bundle support.zip
    """
    settings = settings_of(None, model)
    checks = asyncio.run(all_checks(settings))
    ok = all(check.status != "fail" for check in checks)
    if as_json:
        out_json({"ok": ok, "checks": [asdict(check) for check in checks]})
    else:
        _print(checks)
    if bundle is not None:
        names = write_bundle(bundle, checks, settings)
        err(f"Wrote {bundle}: {', '.join(names)}. It holds no source code; check it before you send it.\n")
    if not ok:
        raise typer.Exit(1)


def _print(checks: list[Check]) -> None:
    terminal = console(highlight=False)
    for check in checks:
        mark = (f"{check.status:<4}", _STYLES[check.status])
        terminal.print(Text.assemble(mark, f" {check.name:<14} {check.detail}"), soft_wrap=True)
        if check.fix:
            terminal.print(f"     {'':<14} {check.fix}", style="dim", soft_wrap=True)
