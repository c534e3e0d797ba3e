"""Run npm, vitest, tsc and eslint on TypeScript packages, in temporary copies and with a time limit."""

import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from scripts.judge_actions.linters import LINT_LIMIT_S, Finding
from scripts.prove_actions.running import failure_of
from spark_lsp.text.edit import Span
from spark_lsp.text.snapshot import LineTable

NPM_LIMIT_S: Final = 300.0
TESTS_LIMIT_S: Final = 120.0
_SHORT: Final = 900
_TYPES: Final = (
    "--noEmit",
    "--strict",
    "--skipLibCheck",
    "--target",
    "es2022",
    "--lib",
    "es2023,dom,dom.iterable",
    "--module",
    "esnext",
    "--types",
    "node,jest",
    "--moduleResolution",
    "bundler",
    "--esModuleInterop",
    "--resolveJsonModule",
    "--allowImportingTsExtensions",
)
_ERROR: Final = re.compile(r"^(.*)\(\d+,\d+\): error (TS\d+: .*)$", re.MULTILINE)
_CODES: Final = re.compile(r"\x1b\[[\d;]*m")
_LINT: Final = """\
import jsdoc from "eslint-plugin-jsdoc";
import typescript from "typescript-eslint";
const own = {parser: typescript.parser, sourceType: "module"};
export default [{files: ["**/*.ts"], languageOptions: own, plugins: {jsdoc, "@typescript-eslint": typescript.plugin},
  linterOptions: {reportUnusedDisableDirectives: "off"}, rules: RULES}];
"""
_TEST: Final = """\
export default {resolve: {conditions: CONDITIONS}, ssr: {resolve: {conditions: CONDITIONS}}, test: {include: FILES,
  globals: true, setupFiles: ["./judge.setup.mjs"], pool: "threads", bail: BAIL,
  poolOptions: {threads: {singleThread: true}}}};
"""
_SETUP: Final = 'import { vi } from "vitest";\nglobalThis.jest = vi;\n'


@dataclass(frozen=True, slots=True)
class NodePackage:
    """A row of the manifest: its folders of sources and tests."""

    name: str
    version: str
    sources: str
    tests: str
    conditions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeFolder:
    """An unpacked package and the folder of installed programs and dependencies."""

    package: NodePackage
    root: Path
    modules: Path

    @contextmanager
    def copied(self, texts: Mapping[str, str | None]) -> Iterator[Path]:
        """Copy the package with these texts in place of its own, without the files whose text is None."""
        with tempfile.TemporaryDirectory(prefix="judge-") as folder:
            copy = Path(folder) / self.package.name
            shutil.copytree(self.root, copy, ignore=shutil.ignore_patterns("node_modules", "benchmark"))
            (copy / "node_modules").symlink_to(self.modules)
            for path, text in texts.items():
                if text is None:
                    (copy / path).unlink(missing_ok=True)
                else:
                    (copy / path).parent.mkdir(parents=True, exist_ok=True)
                    (copy / path).write_text(text, "utf-8", newline="")
            yield copy

    def failing_tests(self, texts: Mapping[str, str | None], tests: Collection[str]) -> str:
        """Run test files of an edited copy; return the end of the output if one failed, empty if all passed."""
        with self.copied(texts) as copy:
            command = self._tests(copy, [path for path in tests if (copy / path).is_file()], bail=1)
            failure = failure_of(command, copy, _variables(copy), limit_s=TESTS_LIMIT_S, most_characters=_SHORT)
            return _CODES.sub("", failure)

    def passing_tests(self) -> list[str]:
        """Return the test files of the unchanged package that pass."""
        with self.copied({}) as copy:
            files = [
                file for ending in ("spec", "test") for file in (copy / self.package.tests).rglob(f"*.{ending}.ts")
            ]
            command = self._tests(copy, sorted(file.relative_to(copy).as_posix() for file in files), bail=0)
            report = copy / "report.json"
            command += ["--reporter=json", f"--outputFile={report}"]
            failure_of(command, copy, _variables(copy), limit_s=NPM_LIMIT_S, most_characters=_SHORT)
            rows = json.loads(report.read_text("utf-8"))["testResults"] if report.is_file() else []
            passed = [Path(row["name"]) for row in rows if row["status"] == "passed" and row["assertionResults"]]
            return sorted(path.resolve().relative_to(copy.resolve()).as_posix() for path in passed)

    def _tests(self, copy: Path, files: Sequence[str], *, bail: int) -> list[str]:
        conditions = json.dumps([*self.package.conditions, "import", "module", "default"])
        config = _TEST.replace("CONDITIONS", conditions).replace("FILES", json.dumps(list(files)))
        (copy / "vitest.config.mjs").write_text(config.replace("BAIL", str(bail)), "utf-8")
        (copy / "judge.setup.mjs").write_text(_SETUP, "utf-8")
        return [str(self.modules / ".bin/vitest"), "run", "--config", "vitest.config.mjs"]

    def type_errors(self, texts: Mapping[str, str | None], paths: Collection[str]) -> Counter[str]:
        """Return tsc's errors in files of an edited copy and what they import, without positions."""
        with self.copied(texts) as copy:
            conditions = ["--customConditions", ",".join(self.package.conditions)] if self.package.conditions else []
            command = [str(self.modules / ".bin/tsc"), *_TYPES, *conditions, *paths]
            output = _output(command, copy)
            return Counter(f"{path} {message}" for path, message in _ERROR.findall(output))

    def lint(self, texts: Mapping[str, str | None], paths: Sequence[str], rules: Mapping[str, Any]) -> list[Finding]:
        """Return eslint's findings in files of an edited copy, by these rules alone."""
        with self.copied(texts) as copy:
            (copy / "judge.eslint.mjs").write_text(_LINT.replace("RULES", json.dumps(rules)), "utf-8")
            command = [str(self.modules / ".bin/eslint"), "--no-config-lookup", "-c", "judge.eslint.mjs", "--no-ignore"]
            rows = json.loads(_output([*command, "--no-inline-config", "--format", "json", *paths], copy) or "[]")
            return [
                _finding(Path(row["filePath"]).resolve().relative_to(copy.resolve()).as_posix(), copy, message)
                for row in rows
                for message in row["messages"]
            ]


def _finding(path: str, copy: Path, message: Mapping[str, Any]) -> Finding:
    text = (copy / path).read_text("utf-8")
    starts = LineTable.of(text).starts
    start = starts[message["line"] - 1] + message["column"] - 1
    end = starts[message.get("endLine", message["line"]) - 1] + message.get("endColumn", message["column"]) - 1
    return Finding(path, Span(start, max(start, end)), message["ruleId"] or "syntax", message["message"])


def unpacked(package: NodePackage, tools: Mapping[str, str], folder: Path) -> NodeFolder | None:
    """Return a package, fetched by npm if necessary; None if it is not available. No scripts of packages are run."""
    modules = folder / "tools" / "node_modules"
    if not modules.is_dir():
        modules.parent.mkdir(parents=True, exist_ok=True)
        names = [f"{name}@{version}" for name, version in tools.items()]
        _npm(["install", "--silent", "--ignore-scripts", "--prefix", str(modules.parent), *names], folder)
    root = folder / f"{package.name}-{package.version}"
    if not root.is_dir():
        _npm(["pack", "--silent", f"{package.name}@{package.version}"], folder)
        archive = folder / f"{package.name}-{package.version}.tgz"
        if not archive.is_file():
            return None
        with tarfile.open(archive) as packed, tempfile.TemporaryDirectory(dir=folder) as place:
            packed.extractall(place, filter="data")
            (Path(place) / "package").rename(root)
    return NodeFolder(package, root, modules)


def _npm(command: Sequence[str], folder: Path) -> None:
    subprocess.run(["npm", *command], cwd=folder, check=False, capture_output=True, timeout=NPM_LIMIT_S)


def _output(command: Sequence[str], folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, env=_variables(folder), capture_output=True, text=True, timeout=LINT_LIMIT_S, check=False
    )
    return done.stdout


def _variables(folder: Path) -> dict[str, str]:
    return {**os.environ, "HOME": str(folder), "CI": "1", "NO_COLOR": "1", "FORCE_COLOR": "0"}
