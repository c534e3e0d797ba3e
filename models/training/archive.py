"""Source archives as the registries give them: their files and what they say about their licence.

Reads wheels and npm's tarballs without unpacking them and never runs anything that they hold.
"""

import json
import re
import tarfile
import zipfile
from collections.abc import Iterator
from email import message_from_string
from pathlib import Path, PurePosixPath

from models.training.manifest import licence_ids

MAX_MEMBER_BYTES = 1_000_000
_LICENCE_FILE = re.compile(r"(?i)(licen[cs]e|copying|notice|authors)([-_.].*)?")

# Trove classifiers and the free texts that packages write into their licence field.
_SPDX_OF_TEXT = {
    "mit": "MIT",
    "mit license": "MIT",
    "the mit license (mit)": "MIT",
    "bsd": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "bsd 3-clause": "BSD-3-Clause",
    "new bsd": "BSD-3-Clause",
    "3-clause bsd license": "BSD-3-Clause",
    "modified bsd license": "BSD-3-Clause",
    "apache software license": "Apache-2.0",
    "apache license": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache 2": "Apache-2.0",
    "apache 2.0 license": "Apache-2.0",
    "isc license": "ISC",
    "isc license (iscl)": "ISC",
    "python software foundation license": "PSF-2.0",
    "the unlicense (unlicense)": "Unlicense",
    "zope public license": "ZPL-2.1",
    "cc0 1.0 universal (cc0 1.0) public domain dedication": "CC0-1.0",
}


def members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Yield (path, content) of every file, paths relative to the package's root; larger ones are left out."""
    if archive.suffix == ".whl":
        yield from _zip_members(archive)
    else:
        yield from _tar_members(archive)


def _zip_members(archive: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(archive) as opened:
        for entry in sorted(opened.infolist(), key=lambda info: info.filename):
            if not entry.is_dir() and entry.file_size <= MAX_MEMBER_BYTES:
                yield entry.filename, opened.read(entry)


def _tar_members(archive: Path) -> Iterator[tuple[str, bytes]]:
    contents: list[tuple[str, bytes]] = []
    with tarfile.open(archive) as opened:
        for entry in opened:  # in its own order: to go back in a packed archive is to unpack it from the start
            file = opened.extractfile(entry) if entry.isfile() and entry.size <= MAX_MEMBER_BYTES else None
            if file is not None:
                contents.append((entry.name.partition("/")[2], file.read()))
    yield from sorted(contents, key=lambda content: content[0])


def declared_licence(archive: Path) -> str:
    """Return what the package says its licence is, as an SPDX expression; empty when it says nothing we know."""
    for path, content in members(archive):
        place = PurePosixPath(path)
        if place.name == "METADATA" and place.parent.suffix == ".dist-info":
            return _of_metadata(content.decode("utf-8", "replace"))
        if path == "package.json":
            declared = json.loads(content).get("license", "")
            return declared if isinstance(declared, str) else str(declared.get("type", ""))
    return ""


def _of_metadata(text: str) -> str:
    message = message_from_string(text)
    if expression := message.get("License-Expression"):
        return str(expression)
    rows = [str(row).split(" :: ")[-1] for row in message.get_all("Classifier", []) if row.startswith("License ::")]
    texts = [row for row in rows if row != "OSI Approved"] or [str(message.get("License", ""))]
    known = [_spdx(licence) for licence in texts]
    return " AND ".join(dict.fromkeys(known)) if all(known) else ""


def _spdx(text: str) -> str:
    text = text.strip().strip('"')
    if licence := _SPDX_OF_TEXT.get(text.casefold()):
        return licence
    return text if text and re.fullmatch(r"[\w.+-]+( (AND|OR) [\w.+-]+)*", text) and licence_ids(text) else ""


def licence_texts(archive: Path) -> str:
    """Return every licence, notice and author file of a package, each under its path."""
    licences = []
    for path, content in members(archive):
        place = PurePosixPath(path)
        if _LICENCE_FILE.fullmatch(place.name) or "licenses" in place.parts[:-1]:
            licences.append(f"=== {path}\n{content.decode('utf-8', 'replace').strip()}\n")
    return "\n".join(licences)
