"""List the method names of Python's own types: a receiver of unknown class may be one of them."""

import array
import asyncio
import builtins
import collections
import concurrent.futures
import datetime as dt
import decimal
import io
import logging
import pathlib
import queue
import random
import re
import socket
import sqlite3
import string
import subprocess
import threading
import types
import zipfile
from functools import cache
from typing import Final

_TYPES: Final[tuple[type, ...]] = (
    *(array.array, asyncio.Event, asyncio.Lock, asyncio.Queue, asyncio.Task, collections.Counter),
    *(collections.OrderedDict, collections.deque, concurrent.futures.Executor, concurrent.futures.Future),
    *(dt.datetime, dt.timedelta, decimal.Decimal, io.BytesIO, io.StringIO, io.TextIOWrapper, logging.Handler),
    *(logging.Logger, pathlib.Path, queue.Queue, random.Random, re.Match, re.Pattern, socket.socket),
    *(sqlite3.Connection, sqlite3.Cursor, string.Formatter, string.Template, subprocess.Popen, threading.Event),
    *(threading.Thread, types.CoroutineType, types.GeneratorType, zipfile.ZipFile),
)
"""The library types that a variable most often holds; a server loads all of them anyway."""


@cache
def of_python() -> frozenset[str]:
    """Return the method names of built-in types and of the library's most common ones."""
    own = [value for value in vars(builtins).values() if isinstance(value, type)]
    return frozenset(name for owner in (*own, *_TYPES) for name in dir(owner))
