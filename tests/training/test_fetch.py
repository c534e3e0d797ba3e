"""Archives are found, read and judged without the network."""

import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from models.training.archive import declared_licence, licence_texts, members
from models.training.fetch import FetchError, archive_of, check_licence
from models.training.manifest import Package


def wheel(folder: Path, metadata: str, name: str = "some_thing-1.0-py3-none-any.whl") -> Path:
    path = folder / name
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("some_thing/core.py", "x = 1\n")
        out.writestr("some_thing-1.0.dist-info/METADATA", f"Name: some-thing\nVersion: 1.0\n{metadata}\n")
        out.writestr("some_thing-1.0.dist-info/licenses/LICENSE", "Permission is hereby granted\n")
    return path


def tarball(folder: Path, licence: object) -> Path:
    path = folder / "scope-thing-2.0.0.tgz"
    files = {"package/package.json": json.dumps({"license": licence}), "package/src/a.ts": "export const a = 1\n"}
    with tarfile.open(path, "w:gz") as out:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            out.addfile(info, io.BytesIO(text.encode()))
    return path


@pytest.mark.parametrize(
    ("metadata", "licence"),
    [
        ("License-Expression: MIT OR Apache-2.0", "MIT OR Apache-2.0"),
        ("Classifier: License :: OSI Approved :: MIT License", "MIT"),
        ("License: BSD", "BSD-3-Clause"),
        ("Classifier: License :: OSI Approved :: GNU General Public License v3 (GPLv3)", ""),
        ("", ""),
    ],
)
def test_what_a_wheel_declares(tmp_path: Path, metadata: str, licence: str) -> None:
    assert declared_licence(wheel(tmp_path, metadata)) == licence


def test_npm_archives(tmp_path: Path) -> None:
    path = tarball(tmp_path, "ISC")
    assert declared_licence(path) == "ISC"
    assert [name for name, _ in members(path)] == ["package.json", "src/a.ts"]
    assert archive_of(Package("@scope/thing", "2.0.0", "ISC", "npm"), tmp_path) == path


def test_an_archive_is_found_by_exact_version(tmp_path: Path) -> None:
    path = wheel(tmp_path, "")
    assert archive_of(Package("Some.Thing", "1.0", "MIT"), tmp_path) == path
    assert archive_of(Package("some-thing", "1.0.1", "MIT"), tmp_path) is None
    assert archive_of(Package("some", "1.0", "MIT"), tmp_path) is None


def test_a_licence_other_than_the_manifest_says_is_refused(tmp_path: Path) -> None:
    path = wheel(tmp_path, "License-Expression: Apache-2.0")
    check_licence(Package("some-thing", "1.0", "Apache-2.0"), path)
    with pytest.raises(FetchError, match="the manifest says MIT"):
        check_licence(Package("some-thing", "1.0", "MIT"), path)
    with pytest.raises(FetchError, match="not on the allow list"):
        check_licence(Package("some-thing", "1.0", "MIT"), wheel(tmp_path, "License-Expression: AGPL-3.0-only"))


def test_licence_texts_are_kept(tmp_path: Path) -> None:
    assert "Permission is hereby granted" in licence_texts(wheel(tmp_path, ""))
