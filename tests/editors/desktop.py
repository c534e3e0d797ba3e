"""A screen without a monitor: keys pressed, windows listed, pictures taken. Waits for states, never for a time."""

import os
import struct
import subprocess
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from Xlib import XK, X, display
from Xlib.ext import xtest

WIDTH, HEIGHT = 900, 600
DEADLINE_S = 30.0
"""Seconds until a state must be reached. Only a failing test waits this long."""


class Desktop:
    """An X server with no window manager; a program's window fills its upper left corner and has the keys."""

    def __init__(self, pictures: Path) -> None:
        self._pictures = pictures
        read, write = os.pipe()
        command = ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{WIDTH}x{HEIGHT}x24", "-nolisten", "tcp"]
        self.process = subprocess.Popen(
            command, pass_fds=(write,), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(write)
        with os.fdopen(read) as lines:
            self.name = f":{lines.readline().strip()}"
        self._display: Any = display.Display(self.name)

    def press(self, *chords: str) -> None:
        """Press keys by their X names, such as ``Control_L+s``."""
        for chord in chords:
            codes = [self._display.keysym_to_keycode(XK.string_to_keysym(name)) for name in chord.split("+")]
            for code in codes:
                xtest.fake_input(self._display, X.KeyPress, code)
            for code in reversed(codes):
                xtest.fake_input(self._display, X.KeyRelease, code)
        self._display.sync()

    def menus(self) -> int:
        """How many menus are open: windows on the screen that no window manager would touch."""
        shown = [child.get_attributes() for child in self._display.screen().root.query_tree().children]
        return sum(window.map_state == X.IsViewable and bool(window.override_redirect) for window in shown)

    def pixels(self) -> bytes:
        """The pixels of the screen: four bytes each, blue first."""
        root = self._display.screen().root
        return root.get_image(0, 0, WIDTH, HEIGHT, X.ZPixmap, 0xFFFFFFFF).data

    def picture(self, name: str) -> Path:
        """Save the screen as a PNG."""
        pixels = self.pixels()
        colours = bytearray(WIDTH * HEIGHT * 3)
        colours[0::3], colours[1::3], colours[2::3] = pixels[2::4], pixels[1::4], pixels[0::4]
        step = WIDTH * 3
        rows = b"".join(b"\0" + colours[start : start + step] for start in range(0, len(colours), step))
        head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
        chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
        self._pictures.mkdir(parents=True, exist_ok=True)
        path = self._pictures / f"{name}.png"
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks))
        return path

    def wait(self, what: str, state: Callable[[], Any], *, deadline_s: float = DEADLINE_S) -> Any:
        """Wait until ``state`` is true; a failure saves a picture."""
        end = time.monotonic() + deadline_s
        while not (value := state()):
            if time.monotonic() > end:
                raise AssertionError(f"waited {deadline_s:.0f} s for {what}: see {self.picture('failed')}")
            time.sleep(0.02)
        return value

    def close(self) -> None:
        """End the server."""
        self._display.close()
        self.process.terminate()
        self.process.wait(DEADLINE_S)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
