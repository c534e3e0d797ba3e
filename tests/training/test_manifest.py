"""The manifest is whole, and its reader refuses what it must."""

from pathlib import Path

import pytest

from models.training.manifest import ManifestError, is_allowed, load


def test_the_manifest_is_well_formed() -> None:
    packages = load()
    learnt = [package for package in packages if not package.held_out]
    assert sum(package.registry == "pypi" for package in learnt) >= 40
    assert sum(package.registry == "npm" for package in learnt) >= 5
    assert sum(package.held_out for package in packages) >= 4
    assert {package.registry for package in packages if package.held_out} == {"pypi", "npm"}


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ('name = "a"\nversion = "1.0"\nlicence = "GPL-3.0-only"', "not on the allow list"),
        ('name = "a"\nversion = ">=1.0"\nlicence = "MIT"', "no exact version"),
        ('name = "a"\nlicence = "MIT"', "no version"),
        ('name = "a"\nversion = "1.0"\nlicence = "MIT"\nhost = "b"', "unknown field host"),
        (
            'name = "a"\nversion = "1"\nlicence = "MIT"\n[[package]]\nname = "A"\nversion = "2"\nlicence = "MIT"',
            "twice",
        ),
    ],
)
def test_a_bad_row_is_refused(tmp_path: Path, row: str, complaint: str) -> None:
    path = tmp_path / "manifest.toml"
    path.write_text(f"[[package]]\n{row}\n", "utf-8")
    with pytest.raises(ManifestError, match=complaint):
        load(path)


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("MIT OR GPL-3.0-only", True),
        ("MIT AND GPL-3.0-only", False),
        ("(MIT OR Apache-2.0)", True),
        ("Apache-2.0 AND MIT", True),
        ("LGPL-2.1", False),
        ("", False),
    ],
)
def test_licence_expressions(expression: str, *, allowed: bool) -> None:
    assert is_allowed(expression) is allowed
