"""Write generated files: docs/configuration.md, settings and actions of the VS Code extension, the model card.

``--check`` writes nothing and fails if a file is not up to date. To change a setting, change
``spark_lsp/config.py`` and run ``make generate``.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from models.training import card
from spark_lsp.actions.base import Action
from spark_lsp.actions.catalog import CATALOG
from spark_lsp.config import Setting, Settings, SettingsSource, environment_source, resolve, settings_keys

ROOT = Path(__file__).resolve().parent.parent
PAGE = "docs/configuration.md"
MANIFEST = "editors/vscode/package.json"
EVALUATION = "models/spark-nano/evaluation.json"
CARD = "models/spark-nano/README.md"
SECTION = "spark"
ACTION_COMMAND = "sparkLsp.action."
ASKING = ("rewrite",)
"""Actions whose command needs input from the user first, so the extension has its own command for them."""
TITLES = {"rename.suggest": "Suggest a Better Name", "document": "Write Documentation"}
"""Titles of commands that do not follow from an action's id."""
HAND_WRITTEN = (f"{SECTION}.server.", f"{SECTION}.trace.")
"""Settings of the extension itself, which the server never reads."""

INTRODUCTION = """\
# Configuration

<!-- Written by scripts/generate.py from spark_lsp/config.py; change that and run `make generate`. -->

You need no settings: without any, [the best model on this machine](models.md#which-model-serves) is used.
The keys below belong to the section `spark`.

You can set a key in four places; the first place of this list that has it wins.

1. The editor's settings: `"spark.completion.maxLines": 4` in VS Code, `settings = { completion = { maxLines = 4 } }` in the Neovim plugin.
2. `initializationOptions` of the language client, nested in the same way, with or without the outer `spark`.
3. `.spark-lsp.toml` in the workspace folder: `completion.maxLines = 4`; with several folders in one window, each has its own.
4. The environment: `SPARK_LSP_COMPLETION_MAX_LINES=4`; separate the items of a list by commas.

An unknown key is ignored, and an invalid value is replaced by the default; one message names the key, the value and what is allowed.

The workspace file comes from the author of the repository.
So it can set only the keys marked "yes" under "workspace file"; others are ignored with a message.
Its `context.maxTokens` can only make prompts smaller than yours, and never loads the model a second time.
"""  # noqa: E501


def main(arguments: list[str]) -> int:
    """Write the files, or with ``--check`` name those that are out of date."""
    stale = [name for name, text in generated() if _current(name) != text]
    if "--check" in arguments:
        for name in stale:
            sys.stderr.write(f"{name} is out of date; `make generate` writes it.\n")
        return 1 if stale else 0
    for name, text in generated():
        if name in stale:
            (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / name).write_text(text, "utf-8", newline="\n")
            sys.stdout.write(f"wrote {name}\n")
    return 0


def generated() -> Iterator[tuple[str, str]]:
    """Yield each generated file's path and text."""
    keys = settings_keys()
    yield PAGE, configuration_page(keys)
    if (ROOT / MANIFEST).is_file():
        yield MANIFEST, manifest(_current(MANIFEST), keys, CATALOG)
    if (ROOT / EVALUATION).is_file():
        yield CARD, card.page(json.loads(_current(EVALUATION)))


def configuration_page(keys: Mapping[str, Setting]) -> str:
    """Return docs/configuration.md."""
    lines = [INTRODUCTION.rstrip()]
    section = None
    for key, setting in keys.items():
        if key.rpartition(".")[0] != section:
            section = key.rpartition(".")[0]
            lines += ["", f"## {_section_title(section)}", ""]
            lines += [
                "| key | description | values | default | environment | workspace file |",
                "|---|---|---|---|---|---|",
            ]
        schema = _schema(setting)
        cells = (
            f"`{SECTION}.{key}`",
            schema["description"],
            _values(schema),
            f"`{json.dumps(_default(setting))}`",
            "none" if schema.get("type") == "object" else f"`{_environment_name(key)}`",
            "yes" if _workspace_may_set(setting) else "no",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def manifest(current: str, keys: Mapping[str, Setting], actions: Sequence[Action]) -> str:
    """Return package.json with the settings and actions of the server; the extension's own parts stay as they are."""
    package = json.loads(current)
    commands = [row for row in package["contributes"]["commands"] if not row["command"].startswith(ACTION_COMMAND)]
    package["contributes"]["commands"] = commands + [
        {
            "command": f"{ACTION_COMMAND}{name}",
            "category": "Spark",
            "title": TITLES.get(name, name.replace(".", " ").title()),
        }
        for name in dict.fromkeys(action.id for action in actions)  # several rows of one name serve several languages
        if name not in ASKING
    ]
    package["sparkActions"] = {action.id: action.kind for action in actions if action.id not in ASKING}
    configuration = package["contributes"]["configuration"]
    own = {name: value for name, value in configuration.get("properties", {}).items() if name.startswith(HAND_WRITTEN)}
    configuration["properties"] = {**own, **{f"{SECTION}.{key}": _property(setting) for key, setting in keys.items()}}
    first_indented = next((line for line in current.splitlines() if line[:1] in " \t"), "  ")
    indent = first_indented[: len(first_indented) - len(first_indented.lstrip())]
    return json.dumps(package, indent=indent, ensure_ascii=False) + "\n"


def _property(setting: Setting) -> dict[str, Any]:
    """Describe a setting for VS Code. A setting that a workspace must not set has a scope that excludes workspaces."""
    schema = _schema(setting)
    scope = "resource" if _workspace_may_set(setting) else "machine"
    description = schema.pop("description")
    return {**schema, "default": _default(setting), "scope": scope, "markdownDescription": description}


def _schema(setting: Setting) -> dict[str, Any]:
    schema = msgspec.json.schema(setting.type)
    if not schema.get("description"):
        raise SystemExit(f"{SECTION}.{setting.key} has no description in spark_lsp/config.py")
    if "enum" in schema:
        schema = {"type": "string", **schema}
    return schema


def _default(setting: Setting) -> Any:
    return msgspec.to_builtins(setting.default)


def _values(schema: Mapping[str, Any]) -> str:
    """Describe the values of a setting in words."""
    if "anyOf" in schema:
        return " or ".join(_values(choice) for choice in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    if schema["type"] == "array":
        return f"list of {_values(schema['items'])}s"
    if schema["type"] == "object":
        return f"names, each with a {_values(schema['additionalProperties'])}"
    name = {"integer": "whole number", "boolean": "true or false", "string": "text"}.get(schema["type"], schema["type"])
    lowest, highest = schema.get("minimum"), schema.get("maximum")
    if lowest is not None and highest is not None:
        return f"{name}, {lowest:,} to {highest:,}"
    return f"{name}, {lowest:,} or more" if lowest is not None else name


def _environment_name(key: str) -> str:
    """Return the variable that sets a key, checked against the module that reads it."""
    name = "SPARK_LSP_" + "".join(f"_{c}" if c.isupper() else c for c in key.replace(".", "_")).upper()
    if key not in environment_source({name: ""}).values:
        raise SystemExit(f"{name} does not set {SECTION}.{key}")
    return name


def _workspace_may_set(setting: Setting) -> bool:
    """Whether the repository's own settings file may set this key."""
    return not resolve([SettingsSource("workspace", {setting.key: setting.default}, trusted=False)])[1]


def _section_title(section: str) -> str:
    """Return the first line of the settings struct's docstring."""
    struct = getattr(Settings(), section) if section else None
    title = (type(struct).__doc__ or section).strip().splitlines()[0].rstrip(".") if struct else "Model"
    return f"{title} (`{SECTION}.{section}`)" if section else title


def _current(name: str) -> str:
    try:
        return (ROOT / name).read_text("utf-8")
    except OSError:
        return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
