"""Checks which editors are set up for Spark LSP, and finds unknown or invalid settings.

Reads configuration files of editors and never changes them.
"""

import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from spark_lsp.config import SettingsSource, environment_source, resolve, settings_keys
from spark_lsp.doctor.check_result import Check
from spark_lsp.server.settings import WORKSPACE_FILE, read_settings

REPOSITORY: Final = Path(__file__).resolve().parents[2]
_PREFIX: Final = "SPARK_LSP_"
_OWN_VARIABLES: Final = frozenset(
    f"{_PREFIX}{name}" for name in ("RUNTIME_DIR", "ENGINE_TRANSPORT", "MODELS_DIR", "CONFIG_DIR", "STRICT")
)
_JSONC: Final = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/|,(?=\s*[}\]])', re.DOTALL)
_NVIM_USE: Final = re.compile(r"""require\(?\s*["']spark["']|lsp\.enable\(?\s*\{?[^)]*["']spark["']""")
_CODE_FOLDERS: Final = {"code": "Code", "codium": "VSCodium", "code-insiders": "Code - Insiders"}


def editor_checks(home: Path | None = None, environment: Mapping[str, str] = os.environ) -> list[Check]:
    """Check the user's editors, the environment, and the settings file in the current folder."""
    home = home or Path.home()
    return [
        _editors(home, environment),
        *_code_settings(home),
        environment_check(environment),
        _workspace_file(Path.cwd()),
    ]


def _editors(home: Path, environment: Mapping[str, str]) -> Check:
    """Check that one of the installed editors is set up; else say how to set up the first."""
    names = [name for name in ("nvim", "code", "codium", "emacs", "hx") if shutil.which(name)]
    ready = []
    if _uses_spark(Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "nvim"):
        ready.append("nvim")
    ready += [
        name for name in ("code", "codium") if _has_extension(home / f".{'vscode' if name == 'code' else 'vscode-oss'}")
    ]
    if ready:
        return Check("editor", "ok", f"set up: {', '.join(ready)}" + (f"; found: {', '.join(names)}" if names else ""))
    if not names:
        return Check(
            "editor", "warn", "No known editor is on the PATH.", "# See docs/editors.md for how to set up your editor."
        )
    return Check(
        "editor", "warn", f"{', '.join(names)} is installed, but not set up for Spark LSP.", set_up_command(names[0])
    )


def set_up_command(editor: str, repository: Path = REPOSITORY) -> str:
    """Return the command that sets an editor up from this checkout, or a comment if there is none."""
    plugin, extension = repository / "editors" / "neovim", repository / "editors" / "vscode"
    server = Path(sys.executable).parent / "spark-lsp"
    if editor == "nvim" and plugin.is_dir():
        command = f'cmd = {{ "{server}", "serve", "--stdio" }}'
        lua = f'vim.opt.runtimepath:append("{plugin}") require("spark").setup({{ {command} }})'
        return f"mkdir -p ~/.config/nvim && echo {shlex.quote(lua)} >> ~/.config/nvim/init.lua"
    if editor in {"code", "codium"} and extension.is_dir():
        built = extension / "spark-lsp.vsix"
        folder = shlex.quote(str(extension))
        make = "" if built.exists() else f"(cd {folder} && npm install && npm run package) && "
        return f"{make}{editor} --install-extension {shlex.quote(str(built))}"
    return "# See docs/editors.md for how to set up your editor."


def _uses_spark(folder: Path) -> bool:
    files = [*folder.rglob("*.lua"), *folder.rglob("*.vim")][:2000] if folder.is_dir() else []
    return any(_NVIM_USE.search(_text(file)) for file in files)


def _has_extension(folder: Path) -> bool:
    return any("spark-lsp" in path.name for path in (folder / "extensions").glob("*"))


def _code_settings(home: Path) -> list[Check]:
    """Check the ``spark`` settings in VS Code's user settings."""
    settings = []
    for program, name in _CODE_FOLDERS.items():
        base = home / "Library" / "Application Support" if sys.platform == "darwin" else home / ".config"
        file = base / name / "User" / "settings.json"
        if not file.is_file():
            continue
        values = _spark_values(file)
        if values is None:
            message = f"{file} is not valid JSON, so {name} ignores it."
            settings.append(Check("editor config", "fail", message, f"{program} {shlex.quote(str(file))}"))
        elif values:
            settings.append(_judged(file, values, program))
    return settings


def _judged(file: Path, values: dict[str, Any], program: str) -> Check:
    server = values.pop("server.path", None)
    if isinstance(server, str) and server and not shutil.which(Path(server).expanduser()):
        message = f"spark.server.path in {file} is {server}, which is not a program."
        return Check("editor config", "fail", message, f"{program} {shlex.quote(str(file))}")
    _, messages = resolve([SettingsSource(str(file), values)])
    if messages:
        return Check("editor config", "warn", " ".join(messages), f"{program} {shlex.quote(str(file))}")
    return Check("editor config", "ok", f"{file}, {len(values)} settings")


def environment_check(environment: Mapping[str, str]) -> Check:
    """Find unknown ``SPARK_LSP_`` variables and invalid values."""
    known = {_variable(key) for key in settings_keys()} | _OWN_VARIABLES
    unknown = sorted(name for name in environment if name.startswith(_PREFIX) and name not in known)
    _, messages = resolve([environment_source(environment)])
    if unknown:
        message = f"Unknown variables: {', '.join(unknown)}; docs/configuration.md lists the known ones."
        return Check("environment", "warn", " ".join([message, *messages]), f"unset {' '.join(unknown)}")
    if messages:
        wrong = sorted(name for name in environment if name.startswith(_PREFIX) and name not in _OWN_VARIABLES)
        return Check("environment", "warn", " ".join(messages), f"unset {' '.join(wrong)}")
    count = sum(name in environment for name in known)
    return Check("environment", "ok", f"{count} SPARK_LSP_ variables" if count else "no SPARK_LSP_ variables")


def _workspace_file(folder: Path) -> Check:
    file = folder / WORKSPACE_FILE
    if not file.is_file():
        return Check("workspace file", "ok", f"no {WORKSPACE_FILE} in this folder; none is needed")
    messages = [message for message in read_settings(folder, {}, {})[1] if WORKSPACE_FILE in message]
    if messages:
        return Check("workspace file", "warn", " ".join(messages), f'"${{EDITOR:-vi}}" {shlex.quote(str(file))}')
    return Check("workspace file", "ok", str(file))


def _spark_values(file: Path) -> dict[str, Any] | None:
    """Return the ``spark`` values of a JSON file with comments; None if it is invalid."""
    plain = _JSONC.sub(lambda match: match[1] or "", _text(file))
    try:
        content = json.loads(plain or "{}")
    except ValueError:
        return None
    if not isinstance(content, dict):
        return None
    return {key.removeprefix("spark."): value for key, value in content.items() if key.startswith("spark.")}


def _variable(key: str) -> str:
    """Return the environment variable of a setting (``config.environment_source`` has the same rule)."""
    return _PREFIX + "".join(f"_{c}" if c.isupper() else c for c in key.replace(".", "_")).upper()


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8", "replace")
    except OSError:
        return ""
