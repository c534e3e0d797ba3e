"""Record the animation of the README in a real VS Code, with the real server and a pulled model.

python -m tests.editors.film [--model NAME]

Needs ``make test-editors`` once, for the editor, and Pillow. Waiting is shortened to at most ``MAX_PAUSE_MS`` a frame;
typing and the text of the model are as they came. Look at the frames before you commit them: a model may be wrong.
"""

import argparse
import io
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

from spark_lsp.catalog.model_names import resolve_model
from tests.editors import extension
from tests.editors.browser import CodeServer, Window, launch
from tests.editors.shop import REPOSITORY, SPARK, environment, script, stop_engine, write_ledger

PICTURE = REPOSITORY / "docs" / "pictures" / "vscode.gif"
SIZE = {"width": 900, "height": 460}
FILE = "ledger/account.py"
MODEL = "qwen2.5-coder-0.5b-instruct"
MODEL_DEADLINE_S = 240.0
KEY_MS, LOOK_MS, MAX_PAUSE_MS, LAST_MS = 90, 120, 700, 2500
ASK_AFTER_S = 30.0
STILL_S = 1.0
"""A suggestion that has not grown for so long is complete."""
COLOURS = 96
STATUS_BAR = 34
SETTINGS = {
    "spark.completion.deadlineMs": 20_000,  # the film shortens waiting, so a busy machine gives the same picture
    "spark.completion.maxLines": 2,
    "spark.offerModel": False,
    "breadcrumbs.enabled": False,
    "editor.autoClosingBrackets": "never",
    "editor.fontSize": 15,
    "editor.hover.enabled": False,
    "editor.inlineSuggest.showToolbar": "never",
    "editor.lightbulb.enabled": "off",
    "editor.cursorBlinking": "solid",
    "editor.occurrencesHighlight": "off",
    "workbench.activityBar.location": "hidden",
    "workbench.layoutControl.enabled": False,
    "window.commandCenter": False,
}


@dataclass
class Film:
    """The frames of a window, each with its duration."""

    window: Window
    frames: list[tuple[Image.Image, int]] = field(default_factory=list)
    _last: bytes = b""

    def look(self, duration_ms: int) -> None:
        """Record a frame; an unchanged one extends the last frame."""
        image = Image.open(io.BytesIO(self.window.page.screenshot())).convert("RGB")
        text = image.crop((0, 0, image.width, image.height - STATUS_BAR)).tobytes()  # the spinner turns all the time
        if text == self._last:
            before, before_ms = self.frames[-1]
            self.frames[-1] = (before, min(before_ms + duration_ms, MAX_PAUSE_MS))
            return
        self._last = text
        self.frames.append((image, duration_ms))

    def type(self, text: str) -> None:
        """Press the keys, one frame each."""
        for key in text:
            self.window.page.keyboard.press("Enter") if key == "\n" else self.window.page.keyboard.type(key)
            self.look(KEY_MS)

    def accept(self) -> str:
        """Wait until a suggestion is complete, accept it, and return it."""
        end = time.monotonic() + MODEL_DEADLINE_S
        asked = time.monotonic() + ASK_AFTER_S
        shown, since = "", time.monotonic()
        while not shown or time.monotonic() - since < STILL_S:
            self.look(LOOK_MS)
            if (now := self.window.ghost()) != shown:
                shown, since = now, time.monotonic()
            if not shown and time.monotonic() > asked:  # the model is not sure enough to speak up by itself
                self.window.ask()
                asked = time.monotonic() + ASK_AFTER_S
            if time.monotonic() > end:
                raise AssertionError(f"no suggestion: {self.window.status()}")
        self.look(MAX_PAUSE_MS)
        self.window.press("Tab")
        self.window.wait("the accepted text", lambda: not self.window.ghost().startswith(shown))
        self.look(MAX_PAUSE_MS)
        return shown

    def write(self, path: Path) -> None:
        """Write the animation with one palette, so that nothing flickers."""
        images = [image for image, _ in self.frames]
        together = Image.new("RGB", (images[0].width, images[0].height * 3))
        for number, image in enumerate((images[0], images[len(images) // 2], images[-1])):
            together.paste(image, (0, number * images[0].height))
        palette = together.quantize(COLOURS, dither=Image.Dither.NONE)
        drawn = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
        durations = [*(duration_ms for _, duration_ms in self.frames[:-1]), LAST_MS]
        drawn[0].save(path, save_all=True, append_images=drawn[1:], duration=durations, loop=0, optimize=True)


def play(film: Film) -> list[str]:
    """Complete two lines of a function and a body; return the accepted text."""
    window, accepted = film.window, []
    text = (window.workspace / FILE).read_text("utf-8")
    cut = "entry.amount\n        if self.limit is not None and balance < self.limit:\n"
    place = text.index(cut)
    body = text.index("        ...")
    text = text[:place] + "\n" + text[place + len(cut) : body] + "        \n"
    (window.workspace / FILE).write_text(text, "utf-8")
    window.open(FILE)
    window.press("Control+b")
    window.wait_status("Ready", deadline_s=MODEL_DEADLINE_S)
    window.go_to(text[:place].count("\n") + 1, place - text.rindex("\n", 0, place))
    film.look(MAX_PAUSE_MS)
    film.type("entry.")
    accepted.append(film.accept())
    film.type("\nif self.limit is not None and ")
    accepted.append(film.accept())
    lines = window.text(FILE).splitlines()
    window.go_to(len(lines), len(lines[-1]) + 1)
    film.look(MAX_PAUSE_MS)
    film.type("return sort")
    accepted.append(film.accept())
    return accepted


def main(arguments: list[str] | None = None) -> int:
    """Record the animation and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=MODEL, help="a pulled model")
    parser.add_argument("--to", type=Path, default=PICTURE)
    options = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory(prefix="film", ignore_cleanup_errors=True) as name,
        sync_playwright() as playwright,
    ):
        folder = Path(name)
        workspace = write_ledger(folder / "ledger")
        server = CodeServer(folder / "code", extension.build())
        browser = launch(playwright)
        try:
            variables = environment(folder / "run") | {
                "SPARK_LSP_MODEL": str(resolve_model(options.model))
            }  # VS Code sets XDG folders
            del variables["SPARK_LSP_COMPLETION_MIN_CONFIDENCE"]
            program: dict[str, Any] = {"spark.server.path": str(script(folder / "spark-lsp", SPARK, variables))}
            server.configure(program | SETTINGS)
            window = Window(browser, server, workspace, "film")
            window.page.set_viewport_size(SIZE)
            film = Film(window)
            accepted = play(film)
            film.write(options.to)
        finally:
            browser.close()
            server.close()
            stop_engine(folder / "run")
    sys.stdout.write(f"accepted {accepted}\nwrote {options.to}, {options.to.stat().st_size / 1e6:.2f} MB\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
