"""The command line: one file for each command group, imported only when its command runs.

Parses arguments and prints results; other packages compute them. With ``--json`` standard output holds only JSON;
progress and logs go to standard error. Exit code 0 means done, 1 failed with one sentence, 2 wrong usage.
"""

import sys
from importlib import import_module
from typing import Annotated

import typer

from spark_lsp import __version__
from spark_lsp.cli.terminal import err, out
from spark_lsp.errors import SparkError

COMMANDS = {
    "serve": "spark_lsp.cli.serve:serve",
    "complete": "spark_lsp.cli.complete:complete",
    "context": "spark_lsp.cli.context:context",
    "index": "spark_lsp.cli.index:index",
    "actions": "spark_lsp.cli.actions:actions",
    "models": "spark_lsp.cli.models:app",
    "engine": "spark_lsp.cli.engine:app",
    "remote": "spark_lsp.cli.remote:app",
    "doctor": "spark_lsp.cli.doctor:doctor",
    "bench": "spark_lsp.cli.bench:app",
    "stats": "spark_lsp.cli.stats:stats",
}
"""Command -> module:object, a function for a single command or a Typer for a group."""


def build(names: list[str]) -> typer.Typer:
    """Return the program with the named commands."""
    root = typer.Typer(
        help="Code completion and code actions from a model on this machine.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @root.callback()
    def options(
        *, version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False
    ) -> None:
        if version:
            out(f"spark-lsp {__version__}\n")
            raise typer.Exit

    options.__doc__ = root.info.help
    for name in names:
        module, attribute = COMMANDS[name].split(":")
        command = getattr(import_module(module), attribute)
        if isinstance(command, typer.Typer):
            root.add_typer(command, name=name)
        else:
            root.command(name)(command)
    return root


def main() -> None:
    """Run the command line; an error of ours becomes one sentence and exit code 1."""
    asked = sys.argv[1] if len(sys.argv) > 1 else ""
    if asked == "--version":
        out(f"spark-lsp {__version__}\n")
        return
    try:
        build([asked] if asked in COMMANDS else list(COMMANDS))()
    except SparkError as error:
        err(f"spark-lsp: {error}\n" + (f"  {error.fix}\n" if error.fix else ""))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
