"""The flag that stops a running decode: a byte of a page that libc's ``strlen`` reads as llama.cpp's callback."""

import ctypes
import mmap
import sys

from spark_lsp.llama.loading.native import L


class AbortFlag:
    """A byte that stops a running decode, from any thread, without the interpreter or its lock.

    The library's callback is libc's ``strlen`` and its data this page: length 1 means stop.
    """

    def __init__(self) -> None:
        libc = ctypes.cdll.msvcrt if sys.platform == "win32" else ctypes.CDLL(None)
        self._page = mmap.mmap(-1, mmap.PAGESIZE)
        strlen = ctypes.cast(libc.strlen, ctypes.c_void_p).value
        assert strlen is not None, "every C library has strlen"
        self.callback = L.ggml_abort_callback(strlen)
        self.address: int = ctypes.addressof(ctypes.c_char.from_buffer(self._page))

    @property
    def is_set(self) -> bool:
        """Whether whoever runs decodes should stop for another request."""
        return self._page[0] == 1

    def set(self) -> None:
        """Stop the decode that runs, or the next one."""
        self._page[0] = 1

    def clear(self) -> None:
        """Let decodes run."""
        self._page[0] = 0
