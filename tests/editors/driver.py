"""A real Neovim under test, with typed input and visible output. Waits for states, never for a length of time."""

import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pynvim

REPOSITORY = Path(__file__).resolve().parents[2]
PLUGIN = REPOSITORY / "editors" / "neovim"

# How long a state may take to come about. Only a failing test waits this long.
DEADLINE_S = 15.0
# Pause between two looks at the editor.
POLL_S = 0.01

# What the user sees: read from the extmarks on the screen, not from the plugin's own memory.
_GHOST = """
local inline, below = {}, {}
for _, name in ipairs({ "spark.ghost", "nvim.lsp.inline_completion" }) do
  local space = vim.api.nvim_get_namespaces()[name]
  for _, mark in ipairs(space and vim.api.nvim_buf_get_extmarks(0, space, 0, -1, { details = true }) or {}) do
    for _, chunk in ipairs(mark[4].virt_text or {}) do table.insert(inline, chunk[1]) end
    for _, line in ipairs(mark[4].virt_lines or {}) do table.insert(below, line[1][1]) end
  end
end
return table.concat({ table.concat(inline), unpack(below) }, "\\n")
"""

_CLIENT = 'vim.lsp.get_clients({ name = "spark" })[1]'


def is_listening(address: str) -> bool:
    """Whether somebody answers at a socket. The file alone is there a moment earlier."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(address) == 0


class Neovim:
    """One editor with the plugin loaded and the Spark server of the test's choice."""

    def __init__(self, binary: Path, server: Sequence[str], *, setup: str | None = "{}") -> None:
        # A socket has a short name or none at all, so it is not in the test's own folder.
        self.folder = tempfile.TemporaryDirectory(prefix="nvim")
        address = str(Path(self.folder.name) / "socket")
        # Opening a Python file looks for Neovim's own Python host, a second that no test is about.
        load = f"set runtimepath^={PLUGIN} | let g:loaded_python3_provider = 0"
        argv = [str(binary), "--clean", "--headless", "-i", "NONE", "-n", "--cmd", load, "--listen", address]
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self.wait("Neovim's socket", lambda: is_listening(address))
            self.api = pynvim.attach("socket", path=address)
        except BaseException:
            self.end()
            raise
        # A screen, so that what is drawn can be read back from it.
        self.api.ui_attach(100, 30, rgb=True)
        if setup is not None:
            self.lua(f'require("spark").setup(vim.tbl_extend("force", {setup}, {{ cmd = ... }}))', list(server))

    def close(self) -> None:
        """Quit as a user does. A server that does not stop, or an editor that hangs, is a failure."""
        try:
            self.lua('vim.lsp.enable("spark", false)')
            self.wait("the server to stop", lambda: self.lua(f"return {_CLIENT} == nil"))
            with suppress(EOFError):
                self.api.command("qa!")
            self.process.wait(DEADLINE_S)
        finally:
            self.api.close()
            self.end()

    def end(self) -> None:
        """Remove all processes and files, whatever has happened."""
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()

    def lua(self, code: str, *arguments: Any) -> Any:
        return self.api.exec_lua(code, *arguments)

    def wait(self, what: str, state: Callable[[], Any], *, deadline_s: float = DEADLINE_S) -> Any:
        """Look until ``state`` is true; fail with everything there is to see.

        Neovim answers nothing while it waits for a key, as behind a message of several lines, so it is asked for that
        first.
        """
        end = time.monotonic() + deadline_s
        while (is_blocked := self.is_blocked()) or not (value := state()):
            if time.monotonic() > end:
                if is_blocked:
                    self.type("<C-c>")
                seen = self.describe() if hasattr(self, "api") else ""
                blocked = ", but Neovim waits for a key" if is_blocked else ""
                raise AssertionError(f"waited {deadline_s:.0f} s for {what}{blocked}\n{seen}")
            time.sleep(POLL_S)
        return value

    def is_blocked(self) -> bool:
        """Whether the editor waits for a key."""
        return hasattr(self, "api") and self.api.api.get_mode()["blocking"]

    def describe(self) -> str:
        messages = self.api.command_output("messages")
        mode = self.api.api.get_mode()["mode"]
        return f"mode {mode}\nbuffer {self.lines()}\nghost {self.ghost()!r}\nmessages {messages}"

    def open(self, path: Path) -> None:
        """Edit a file and wait until its server is there."""
        self.api.command(f"edit {path}")
        ready = "local c = vim.lsp.get_clients({ name = 'spark', bufnr = 0 })[1]; return c and c.initialized"
        self.wait("the server", lambda: self.lua(ready), deadline_s=60)

    def type(self, keys: str) -> None:
        self.api.input(keys)

    def lines(self) -> list[str]:
        return self.api.current.buffer[:]

    def text(self) -> str:
        return "\n".join(self.lines())

    def cursor(self) -> tuple[int, int]:
        row, column = self.api.current.window.cursor
        return row, column

    def ghost(self) -> str:
        return self.lua(_GHOST)

    def settled_ghost(self) -> str:
        """The ghost text once no request is open; empty until then."""
        open_requests = self.lua(f"return vim.tbl_count({_CLIENT}.requests)")
        return "" if open_requests else self.ghost()

    def wait_ghost(self, expected: str) -> None:
        self.wait(f"the ghost text {expected!r}", lambda: self.ghost() == expected)

    def wait_text(self, expected: str) -> None:
        self.wait(f"the text {expected!r}", lambda: self.text() == expected)

    def screen(self, row: int) -> str:
        """One row of the screen, 1-based, as it is drawn."""
        code = """
        vim.cmd.redraw()
        local cells = {}
        for column = 1, vim.o.columns do cells[column] = vim.fn.screenstring(..., column) end
        return (table.concat(cells):gsub("%s+$", ""))
        """
        return self.lua(code, row)

    def request(self, method: str, params: dict[str, Any] | None = None, *, deadline_s: float = DEADLINE_S) -> Any:
        """Send a request to the server beside the plugin."""
        code = f"local method, params, ms = ...; return assert({_CLIENT}:request_sync(method, params, ms, 0))"
        reply = self.lua(code, method, params or {}, int(deadline_s * 1000))
        assert "err" not in reply, reply
        return reply["result"]

    def notify(self, method: str, params: dict[str, Any]) -> None:
        self.lua(f"local method, params = ...; {_CLIENT}:notify(method, params)", method, params)

    def received(self, method: str) -> list[Any]:
        """The params of every message of that method that the fake server received."""
        return [message["params"] for message in self.request("fake/received") if message["method"] == method]
