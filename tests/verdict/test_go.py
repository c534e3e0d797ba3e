"""The Go compiler's verdict, where Go is installed; what is asked of it is checked with a script in its place."""

import sys
from pathlib import Path

import pytest

from tests.verdict.check import replacing, verdict_on, write

MODULE = "module example.com/shop\n\ngo 1.19\n"
PRICE = """\
package price

import "fmt"

// Total returns the price of several.
func Total(price float64, count int) float64 {
\tfmt.Println("total")
\treturn price * float64(count)
}
"""
MAIN = """\
package main

import "example.com/shop/price"

func main() {
\tprice.Total(1, 2)
}
"""
TEST = """\
package price

import "testing"

func TestTotal(t *testing.T) {
\tif Total(1, 2) != 2 {
\t\tt.Fail()
\t}
}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "w"
    write(folder, {"go.mod": MODULE, "price/price.go": PRICE, "main.go": MAIN})
    return folder


async def test_the_real_compiler_judges_the_edited_text(root: Path) -> None:
    cache = root.parent / "cache"
    old = "\treturn price * float64(count)\n"
    right = replacing(root, "price/price.go", old, "\ttotal := price * float64(count)\n\treturn total\n")
    assert (await verdict_on(root, cache, "go", right)).status == "passed"
    wrong = replacing(root, "price/price.go", old, "\ttotal := price * count\n\treturn 1\n")
    verdict = await verdict_on(root, cache, "go", wrong)
    assert verdict.status == "rejected"
    assert {(problem.path, problem.line) for problem in verdict.problems} == {(root / "price/price.go", 8)}
    assert "mismatched types float64 and int" in verdict.message


async def test_old_errors_and_other_packages_count_as_they_are(root: Path) -> None:
    write(root, {"price/broken.go": 'package price\n\nvar Broken int = "text"\n'})
    edit = replacing(root, "price/price.go", "package price\n", "package price\n\n\n")
    assert (await verdict_on(root, root.parent / "cache", "go", edit)).status == "passed"
    signature = replacing(root, "main.go", "(1, 2)", "(1, 2, 3)")
    (root / "price" / "broken.go").unlink()
    assert (await verdict_on(root, root.parent / "cache", "go", signature)).status == "rejected"


async def test_a_test_file_is_compiled_too(root: Path) -> None:
    write(root, {"price/price_test.go": TEST})
    edit = replacing(root, "price/price_test.go", "Total(1, 2) != 2", 'Total(1, 2) != "2"')
    assert (await verdict_on(root, root.parent / "cache", "go", edit)).status == "rejected"


async def test_go_runs_and_downloads_nothing_that_the_repository_asks_for(root: Path) -> None:
    """The workspace's hash is compared by the helper."""
    mark = root.parent / "ran"
    hostile = f"""\
package price

// #cgo CFLAGS: -DX=1
// #include "evil.h"
import "C"

//go:generate touch {mark}
"""
    write(root, {"price/evil.go": hostile, "go.mod": MODULE + "toolchain go1.99.1\n"})
    edit = replacing(root, "price/price.go", "float64(count)", "count")
    verdict = await verdict_on(root, root.parent / "cache", "go", edit)
    assert verdict.status in {"rejected", "failed"}  # an old Go does not know the directive
    assert not mark.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="the scripts start with #!")
async def test_go_is_offline_without_cgo_and_with_its_own_toolchain(root: Path) -> None:
    tool = root.parent / "go"
    script = "import os\nnames = ['CGO_ENABLED', 'GOPROXY', 'GOTOOLCHAIN', 'GOVCS']\n"
    tool.write_text(f"#!{sys.executable}\n{script}print([os.environ[name] for name in names])\nraise SystemExit(1)\n")
    tool.chmod(0o755)
    edit = replacing(root, "main.go", "(1, 2)", "(1, 3)")
    verdict = await verdict_on(root, root.parent / "cache", "go", edit, program=str(tool))
    assert (verdict.status, verdict.message) == ("failed", "go failed: ['0', 'off', 'local', '*:off']")


async def test_go_that_stops_at_an_error_of_another_package_gives_no_verdict(tmp_path: Path) -> None:
    root = tmp_path / "w"
    broken = PRICE.replace("float64(count)", "count")
    write(root, {"go.mod": MODULE, "price/price.go": broken, "main.go": MAIN})
    edit = replacing(root, "main.go", "price.Total(1, 2)", "var total string = price.Total(1, 2)\n\tprint(total)")
    verdict = await verdict_on(root, tmp_path / "cache", "go", edit)
    assert verdict.status == "failed"
    assert verdict.message.startswith("go stopped at an error in price.go")
