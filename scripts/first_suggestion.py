"""Measure how soon an editor shows the first suggestion after it was opened: ``python -m scripts.first_suggestion``.

Starts the language server as an editor does, on a copy of a repository with empty caches, opens a file and requests
completions at the end of a truncated line until text comes. Then ends editor and engine and repeats that with index
and cached prefix on disk. Prints JSON, in milliseconds from the start of the server's process.

Example: python -m scripts.first_suggestion --model qwen2.5-coder-0.5b-instruct spark_lsp/text/edit.py:53:26
"""

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from lsprotocol import types

from scripts.harness.editor import REAL, Editor, editor

ROOT: Final = Path(__file__).resolve().parent.parent
ASK_AGAIN_S: Final = 0.05
PATIENCE_S: Final = 120.0
STREAM: Final = "spark/inlineCompletionStream"
RUNTIME_DIR: Final = "SPARK_LSP_RUNTIME_DIR"
NOT_CODE: Final = shutil.ignore_patterns(".git", ".venv", "node_modules", "*.gguf", "__pycache__", ".*_cache")


async def first_text(folder: Path, settings: dict[str, Any], path: str, line: int, column: int) -> dict[str, Any]:
    """Open an editor, and return when the server was ready for requests and when the first text came."""
    root = folder / "workspace"
    lines = (root / path).read_text("utf-8").split("\n")
    text = "\n".join([*lines[:line], lines[line][:column], *lines[line + 1 :]])
    language = "python" if path.endswith(".py") else Path(path).suffix[1:]
    began_s = time.perf_counter()
    async with editor("", folder, REAL, settings=settings) as window:
        initialized_s = time.perf_counter()
        item = types.TextDocumentItem(window.uri(path), language, 1, text)
        window.client.text_document_did_open(types.DidOpenTextDocumentParams(item))
        shown = await _ask_until_text(window, path, types.Position(line, column))
        text_s = time.perf_counter()
        log = await window.send("spark/log", {})
    facts = log.requests[-1].facts
    return {
        "initialized_ms": round((initialized_s - began_s) * 1000),
        "first_text_ms": round((text_s - began_s) * 1000),
        "prompt_tokens": getattr(facts, "prompt_tokens", 0),
        "prefill_tokens": getattr(facts, "prefill_tokens", 0),
        "text": shown,
    }


async def _ask_until_text(window: Editor, path: str, at: types.Position) -> str:
    number = 0
    async with asyncio.timeout(PATIENCE_S):
        while True:
            number += 1
            params = {
                "textDocument": {"uri": window.uri(path)},
                "position": {"line": at.line, "character": at.character},
                "context": {"triggerKind": types.InlineCompletionTriggerKind.Automatic.value},
                "partialResultToken": f"first-{number}",
            }
            answer = asyncio.create_task(window.send(STREAM, params))
            partial = asyncio.create_task(window.until(lambda seen: seen.partials))
            await asyncio.wait((answer, partial), return_when=asyncio.FIRST_COMPLETED)
            if window.partials:
                await asyncio.gather(answer, partial, return_exceptions=True)
                return str(window.partials[0]["items"][0].get("insertText", ""))
            partial.cancel()
            await asyncio.gather(partial, return_exceptions=True)
            items = getattr(await answer, "items", [])
            if items:
                return str(items[0].insertText)
            await asyncio.sleep(ASK_AGAIN_S)


def stop_engine(folder: Path) -> None:
    """End the engine of the folder's editors; it saves what it has cached."""
    environment = {**os.environ, RUNTIME_DIR: str(folder / RUNTIME_DIR)}
    command = [sys.executable, "-m", "spark_lsp", "engine", "stop"]
    subprocess.run(command, env=environment, capture_output=True, check=True)


def main() -> None:
    """Measure a start with empty caches and one with the first run's files on disk."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("place", help="FILE:LINE:COL in the repository, from 1 on")
    parser.add_argument("--model", required=True)
    parser.add_argument("--repository", type=Path, default=ROOT)
    parser.add_argument("--context-tokens", type=int, default=16_384)
    parser.add_argument("--rest", type=float, default=30.0, help="seconds between the first text and the editor's end")
    options = parser.parse_args()
    path, line, column = options.place.rsplit(":", 2)
    settings = {"model": options.model, "context": {"maxTokens": options.context_tokens}}
    with tempfile.TemporaryDirectory(prefix="spark-first-") as name:
        folder = Path(name)
        shutil.copytree(options.repository, folder / "workspace", ignore=NOT_CODE)
        rows = {}
        for start in ("empty caches", "after a restart"):
            rows[start] = asyncio.run(first_text(folder, settings, path, int(line) - 1, int(column) - 1))
            time.sleep(options.rest if start == "empty caches" else 0)
            stop_engine(folder)
    sys.stdout.write(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
