"""List real modules with tests of their own: parts of the standard library, by name and test module."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Subject:
    """A module of the standard library and its test module."""

    module: str
    tests: str


def _same(*names: str) -> tuple[Subject, ...]:
    return tuple(Subject(name, f"test.test_{name}") for name in names)


SUBJECTS: Final = (
    *_same("textwrap", "shlex", "fractions", "difflib", "calendar", "base64", "configparser", "fnmatch", "glob"),
    *_same("copy", "tokenize", "argparse", "optparse", "getopt", "pprint", "reprlib", "sched", "plistlib", "netrc"),
    *_same("ipaddress", "graphlib", "heapq", "bisect", "string", "colorsys", "quopri", "cmd", "code", "csv"),
    *_same("dataclasses", "enum", "mimetypes", "statistics", "ntpath", "tabnanny", "timeit", "trace"),
    *_same(
        "filecmp", "gettext", "hmac", "opcode", "pickletools", "queue", "rlcompleter", "shelve", "uuid", "modulefinder"
    ),
    *_same("tarfile", "typing", "inspect", "ast", "dis", "traceback", "functools", "weakref", "pyclbr", "zipapp"),
    Subject("html.parser", "test.test_htmlparser"),
    Subject("urllib.parse", "test.test_urlparse"),
    Subject("urllib.robotparser", "test.test_robotparser"),
    Subject("json.decoder", "test.test_json"),
    Subject("json.encoder", "test.test_json"),
    Subject("json.scanner", "test.test_json"),
    Subject("xml.dom.minidom", "test.test_minidom"),
    Subject("xml.etree.ElementPath", "test.test_xml_etree"),
    Subject("email._header_value_parser", "test.test_email.test__header_value_parser"),
    Subject("email.header", "test.test_email.test_email"),
    Subject("email.utils", "test.test_email.test_utils"),
    Subject("email.message", "test.test_email.test_email"),
    Subject("http.cookies", "test.test_http_cookies"),
    Subject("http.cookiejar", "test.test_http_cookiejar"),
    Subject("http.server", "test.test_httpservers"),
    Subject("logging.config", "test.test_logging"),
    Subject("wsgiref.handlers", "test.test_wsgiref"),
    Subject("unittest.mock", "test.test_unittest.testmock"),
    Subject("importlib.resources._common", "test.test_importlib.resources"),
    Subject("asyncio.queues", "test.test_asyncio.test_queues"),
    Subject("asyncio.locks", "test.test_asyncio.test_locks"),
    Subject("asyncio.streams", "test.test_asyncio.test_streams"),
    Subject("asyncio.taskgroups", "test.test_asyncio.test_taskgroups"),
    Subject("asyncio.timeouts", "test.test_asyncio.test_timeouts"),
    Subject("asyncio.base_events", "test.test_asyncio.test_base_events"),
    Subject("concurrent.futures._base", "test.test_concurrent_futures"),
    Subject("multiprocessing.shared_memory", "test.test_multiprocessing_fork"),
)
"""Modules that Python loads after it has read ``PYTHONPATH``, so that an edited copy is used.

contextlib is left out: its tests compare the text of its own lines in tracebacks, which an edit has to change.
"""
