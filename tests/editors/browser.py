"""A real VS Code under test: code-server in Chromium, with typed input. Waits for states, never for a time.

One server for the session, one window for each test. What a test opens is found by ``spark.server.path``: a script in
the test's own folder, since that setting belongs to the machine and not to a workspace.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from playwright.sync_api import Browser, Frame, Locator, Page, Playwright

from tests.editors import install
from tests.editors.late import Late

DEADLINE_S = 30.0
"""Seconds until a state must be reached. Only a failing test waits this long."""
POLL_S = 0.02
SIZE = {"width": 1200, "height": 720}
ARTEFACTS = Path(__file__).resolve().parents[2] / "artifacts" / "vscode"
"""The folder of a failed run's pictures; ignored by git."""

CHROMIUM_ARGUMENTS = (
    "--no-sandbox",  # Chromium refuses its sandbox to root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SETTINGS = {
    "chat.disableAIFeatures": True,
    "editor.accessibilitySupport": "off",
    "editor.minimap.enabled": False,
    "editor.quickSuggestions": {"other": "off", "comments": "off", "strings": "off"},
    "extensions.autoCheckUpdates": False,
    "extensions.autoUpdate": "off",
    "git.enabled": False,
    "security.workspace.trust.enabled": False,
    "telemetry.telemetryLevel": "off",
    "update.mode": "none",
    "window.restoreWindows": "none",
    "workbench.colorTheme": "Light Modern",
    "workbench.enableExperiments": False,
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "workbench.startupEditor": "none",
    "workbench.tips.enabled": False,
}
"""Nothing that speaks to a network, nothing that covers the editor, nothing that VS Code would write in newer words: it
does so while the test types, and forgets a suggestion that it was about to ask for."""


KEYS = [{"key": "ctrl+alt+l", "command": "editor.action.inlineSuggest.acceptNextLine"}]
"""VS Code has no key of its own for it."""


class CodeServer:
    """The process that serves windows, with the extension installed; ``folders`` are its PATH."""

    def __init__(self, folder: Path, extension: Path, folders: Sequence[str] | None = None) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.extension = extension
        self.data = folder / "data"
        self._log = (folder / "code-server.log").open("wb")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        programs = _folders_without_spark() if folders is None else folders
        self._environment = {
            **os.environ,
            **{f"XDG_{name}_HOME": str(folder / "xdg" / name.lower()) for name in ("CONFIG", "DATA", "CACHE")},
            "PATH": os.pathsep.join([str(install.NODE_BINARY.parent), *programs]),
            "VSCODE_CLI": "1",  # else it asks the login shell for another PATH
        }
        self._run("--install-extension", str(extension))
        self.process = subprocess.Popen(
            self._command("--bind-addr", f"127.0.0.1:{self.port}", "--auth", "none", "--reconnection-grace-time", "1",
                          "--disable-telemetry", "--disable-update-check", "--disable-getting-started-override"),
            env=self._environment, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, start_new_session=True,
        )  # fmt: skip
        wait("code-server", self._answers)

    def close(self) -> None:
        """End it with its extension hosts."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self._log.close()

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Write the machine's settings; the next window begins with them."""
        own = {key: value for key, value in settings.items() if not key.startswith("spark.")}
        spark = {key: value for key, value in settings.items() if key.startswith("spark.")}
        for scope, values in (("User", {**SETTINGS, **own}), ("Machine", spark)):
            path = self.data / scope / "settings.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values), encoding="utf-8")
        (self.data / "User" / "keybindings.json").write_text(json.dumps(KEYS), encoding="utf-8")

    def forget_installed(self) -> None:
        """Remove the server that the extension has installed."""
        for folder in (self.data / "User" / "globalStorage").glob("*/server"):
            shutil.rmtree(folder)

    def version(self) -> str:
        """The version of VS Code inside."""
        return self._run("--version").split(" with Code ")[1].split()[0]

    def _command(self, *arguments: str) -> list[str]:
        folders = ("--user-data-dir", str(self.data), "--extensions-dir", str(self.folder / "extensions"))
        return [str(install.NODE_BINARY), str(install.CODE_SERVER_ENTRY), *folders, *arguments]

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            self._command(*arguments), env=self._environment, capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, f"code-server {arguments}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def _answers(self) -> bool:
        assert self.process.poll() is None, (self.folder / "code-server.log").read_text(errors="replace")
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5) as answer:
                return answer.status == 200
        except (URLError, OSError):
            return False


def _folders_without_spark() -> list[str]:
    """Return PATH without the folders of an installed server: tests name the server."""
    folders = os.environ["PATH"].split(os.pathsep)
    return [folder for folder in folders if not (Path(folder) / "spark-lsp").exists()]


class Control:
    """A line to the fake server of a window: what an editor cannot be made to say is said here."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="fake")  # a socket has a short name or none at all
        self.address = str(Path(self._folder.name) / "socket")

    def send(self, method: str, **params: Any) -> Any:
        """Send one message and return its answer, once the server has processed it."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self.address)
            with connection.makefile("rw", encoding="utf-8") as stream:
                stream.write(json.dumps({"method": method, "params": params}) + "\n")
                stream.flush()
                return json.loads(stream.readline())

    def received(self, method: str) -> list[Any]:
        """The params of every message of that method that the server received."""
        return [message["params"] for message in self.send("fake/received") if message["method"] == method]

    def is_waiting(self, after: str) -> bool:
        """Whether a request for that answer is open."""
        return after in self.send("fake/waiting")

    def close(self) -> None:
        """Remove the socket file."""
        self._folder.cleanup()


def launch(playwright: Playwright) -> Browser:
    """Start Debian's Chromium."""
    return playwright.chromium.launch(executable_path=str(install.CHROMIUM), args=[*CHROMIUM_ARGUMENTS])


def wait(what: str, state: Callable[[], Any], *, deadline_s: float = DEADLINE_S, seen: Callable[[], str] = str) -> Any:
    """Wait until ``state`` is true; fail with the visible state."""
    end = time.monotonic() + deadline_s
    while not (value := state()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline_s:.0f} s for {what}\n{seen()}")
        time.sleep(POLL_S)
    return value


class Window:
    """One window of VS Code on one workspace: a folder, or a file that names several."""

    def __init__(self, browser: Browser, server: CodeServer, workspace: Path, name: str, *, late: bool = False) -> None:
        self.workspace = workspace
        self.control: Control | None = None
        self.name = name
        self.context = browser.new_context(viewport=SIZE, color_scheme="dark")
        self.page: Page = self.context.new_page()
        self.late = Late(self.page) if late else None
        self.page.set_default_timeout(DEADLINE_S * 1000)
        self.page.route(lambda url: "//127.0.0.1:" not in url, lambda route: route.abort())
        kind = "workspace" if workspace.suffix == ".code-workspace" else "folder"
        self.page.goto(f"http://127.0.0.1:{server.port}/?{kind}={workspace}")
        self.page.wait_for_selector(".monaco-workbench")
        self.status_item.wait_for()

    # -- looking -----------------------------------------------------------------------------------------------------

    @property
    def status_item(self) -> Locator:
        """The extension's item in the status bar."""
        return self.page.locator('.statusbar-item[id$="sparkLsp.status"]')

    def status(self) -> str:
        """What the status bar's item says, tooltip included."""
        return self.status_item.get_attribute("aria-label") or ""

    def ghost(self) -> str:
        """The ghost text as it is drawn, lines joined; empty if there is none."""
        return self.page.evaluate(_GHOST)

    def watch(self) -> None:
        """Record the ghost text of every frame from now on."""
        self.page.evaluate(f"() => {{ const ghost = {_GHOST}; {_WATCH} }}")

    def watched(self) -> list[str]:
        """The different ghost texts of the frames so far, in order."""
        return self.page.evaluate("() => window.sparkSeen")

    def wait(self, what: str, state: Callable[[], Any], *, deadline_s: float = DEADLINE_S) -> Any:
        """Wait until ``state`` is true; a failure saves a picture."""

        def seen() -> str:
            self.picture(f"failed-{self.name}")
            shown = f"status {self.status()!r}\nghost {self.ghost()!r}\nnotes {self.notes()}\nlines {self.drawn()!r}"
            if self.control is None:
                return f"{shown}\n{self.request_log()}"
            received = [
                f"{message['method']} {json.dumps(message['params'])[:200]}"
                for message in self.control.send("fake/received")
            ]
            return "\n".join((shown, "the server got, last:", *received[-12:]))

        return wait(what, state, deadline_s=deadline_s, seen=seen)

    def wait_status(self, part: str, *, deadline_s: float = DEADLINE_S) -> None:
        """Wait until the status bar's item shows a text."""
        self.wait(f"the status {part!r}", lambda: part in self.status(), deadline_s=deadline_s)

    def wait_ghost(self, expected: str | None = None, *, deadline_s: float = DEADLINE_S) -> str:
        """Wait for a ghost text, or for any."""
        if expected is None:
            return self.wait("ghost text", self.ghost, deadline_s=deadline_s)
        self.wait(f"the ghost text {expected!r}", lambda: self.ghost() == expected, deadline_s=deadline_s)
        return expected

    def wait_request(self, after: str) -> None:
        """Wait until the fake server has been asked for an answer that waits for a step."""
        self.wait(f"the request after {after!r}", lambda: self.control.is_waiting(after))

    def drawn(self) -> str:
        """The lines of the editor as they are drawn, ghost text included."""
        return self.page.evaluate(_DRAWN)

    def pages(self) -> str:
        """What all open editors show, this extension's pages of text among them."""
        shown = self.page.locator(".editor-instance .monaco-editor").all_inner_texts()
        return "\n".join(shown).replace("\xa0", " ")

    def request_log(self) -> str:
        """The latest records of the server's log, with their reasons; empty without a server."""
        with suppress(Exception):
            self.command("Spark: Show Request Log")
            self.page.get_by_text("total_ms").last.wait_for()
        return self.pages()[-4000:]

    def notes(self) -> list[str]:
        """The notifications on the screen."""
        return [text.strip() for text in self.page.locator(".notification-list-item-message").all_inner_texts()]

    def picture(self, name: str) -> Path:
        """Save a picture of the screen."""
        ARTEFACTS.mkdir(parents=True, exist_ok=True)
        path = ARTEFACTS / f"{name}.png"
        self.page.screenshot(path=path)
        return path

    # -- doing -------------------------------------------------------------------------------------------------------

    def open(self, name: str) -> None:
        """Open a file by its name, as a user does."""
        self.page.keyboard.press("Control+p")
        box = self.page.locator(".quick-input-widget input[type=text]")
        box.fill(name)
        # The files of before are listed until the search is through; Enter opens the row that has the focus.
        self.page.locator(".quick-input-list .monaco-list-row.focused", has_text=name.rpartition("/")[2]).wait_for()
        self.page.keyboard.press("Enter")
        self.page.locator(f'.tab.active[data-resource-name="{name.rpartition("/")[2]}"]').wait_for()
        self.page.locator(".editor-instance .monaco-editor.focused").wait_for()
        self.page.locator(".quick-input-widget").wait_for(state="hidden")

    def go_to(self, line: int, column: int) -> None:
        """Put the cursor somewhere, counted from 1."""
        self.page.keyboard.press("Control+g")
        self.page.locator(".quick-input-widget input[type=text]").fill(f":{line}:{column}")
        self.page.keyboard.press("Enter")
        self.wait("the cursor there", lambda: f"Ln {line}, Col {column}" in self.bar())
        self.page.locator(".quick-input-widget").wait_for(state="hidden")

    def focus_editor(self) -> None:
        """Move the focus back to the editor."""
        self.page.keyboard.press("Control+1")
        self.page.locator(".editor-instance .monaco-editor.focused").wait_for()

    def bar(self) -> str:
        """The text of the status bar."""
        return self.page.locator(".part.statusbar").inner_text()

    def type(self, text: str) -> None:
        """Press the keys one by one."""
        self.page.keyboard.type(text, delay=80)

    def press(self, *keys: str) -> None:
        """Press key combinations."""
        for key in keys:
            self.page.keyboard.press(key)

    def command(self, title: str) -> None:
        """Run a command of the palette by its whole title."""
        self.page.keyboard.press("F1")
        self.page.locator(".quick-input-widget input[type=text]").fill(f">{title}")
        row = self.page.locator(".quick-input-list .monaco-list-row", has_text=title).first
        row.wait_for()
        row.click()

    def ask(self) -> None:
        """Request a suggestion by hand."""
        self.command("Trigger Inline Suggestion")

    def text(self, name: str) -> str:
        """Save the file if necessary, and return its content."""
        tab = f'.tab.active[data-resource-name="{name.rpartition("/")[2]}"]'
        self.page.locator(tab).wait_for()
        # What is saved already would be written again, and read half written: the tab says nothing of that.
        if self.page.locator(f"{tab}.dirty").count():
            self.page.keyboard.press("Control+s")
            self.page.locator(f"{tab}:not(.dirty)").wait_for()
        return (self.workspace / name).read_text(encoding="utf-8")

    def wait_text(self, name: str, expected: str) -> None:
        """Wait until the saved file holds this."""
        self.wait(f"the text {expected!r} in {name}", lambda: self.text(name) == expected)

    def webview(self, part: str) -> Frame:
        """Wait for a page of the extension that shows some text."""

        def shown_frame() -> Frame | None:
            for frame in self.page.frames:
                with suppress(Exception):  # a frame may go while it is asked
                    if part in frame.locator("body").inner_text(timeout=500):
                        return frame
            return None

        return self.wait(f"a page with {part!r}", shown_frame)

    def close(self) -> None:
        """Close the window."""
        self.context.close()


# Ghost text is cut into pieces: decorations on the cursor's line, and a zone of its own for the lines below.
_GHOST = r"""() => {
  const editor = document.querySelector(".editor-instance .monaco-editor");
  if (!editor) return "";
  const clean = (text) => text.replace(/\u00a0/g, " ").replace(/\u200b|\u200c/g, "");
  const inline = [...editor.querySelectorAll('.view-lines span[class*="ghost-text-decoration"]')]
    .filter((span) => !span.querySelector('span[class*="ghost-text-decoration"]'));
  const top = (node) => node.getBoundingClientRect().top;
  inline.sort((a, b) => top(a) - top(b) || a.getBoundingClientRect().left - b.getBoundingClientRect().left);
  const below = [...editor.querySelectorAll(".view-zones .suggest-preview-text > *, .view-zones .ghost-text > *")]
    .sort((a, b) => top(a) - top(b)).map((line) => clean(line.textContent));
  const first = clean(inline.map((span) => span.textContent).join(""));
  return below.length ? [first, ...below].join("\n") : first;
}"""
_DRAWN = r"""() => [...document.querySelectorAll(".editor-instance .monaco-editor .view-line")]
  .sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top)
  .map((line) => line.textContent.replace(/\u00a0/g, " ")).join("\n")"""
_WATCH = """
window.sparkSeen = [];
const look = () => {
  const now = ghost();
  if (window.sparkSeen.at(-1) !== now) window.sparkSeen.push(now);
  requestAnimationFrame(look);
};
look();
"""
