"""javac's verdict, where a JDK is installed."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.verdict.check import program_of, replacing, verdict_on, write

PRICE = """\
package shop;

import org.library.Missing;

class Price {
    Missing missing;

    double total(double price, int count) {
        return price * count;
    }
}
"""
TILL = """\
package shop;

class Till {
    double sum() {
        return new Price().total(1, 2);
    }
}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "w"
    write(folder, {"pom.xml": "<project/>", "src/shop/Price.java": PRICE, "src/shop/Till.java": TILL})
    return folder


async def test_the_real_compiler_judges_the_edited_text_beside_old_errors(root: Path) -> None:
    cache, name, old = root.parent / "cache", "src/shop/Price.java", "        return price * count;\n"
    right = replacing(root, name, old, "        var total = price * count;\n        return total;\n")
    assert (await verdict_on(root, cache, "javac", right)).status == "passed"
    wrong = replacing(root, name, old, "        int total = price * count;\n        return total;\n")
    verdict = await verdict_on(root, cache, "javac", wrong)
    assert (verdict.status, [(problem.path, problem.line) for problem in verdict.problems]) == (
        "rejected",
        [(root / name, 9)],
    )
    assert "incompatible types: possible lossy conversion from double to int" in verdict.message


async def test_the_edited_texts_of_all_files_count(root: Path) -> None:
    cache = root.parent / "cache"
    signature = replacing(root, "src/shop/Price.java", "int count) {", "int count, int tax) {")
    call = replacing(root, "src/shop/Till.java", "(1, 2)", "(1, 2, 3)")
    alone = await verdict_on(root, cache, "javac", call)
    assert alone.status == "rejected"
    assert "reason actual and formal argument lists differ in length" in alone.message
    assert (await verdict_on(root, cache, "javac", signature, call)).status == "passed"


async def test_an_unknown_name_is_named(root: Path) -> None:
    edit = replacing(root, "src/shop/Till.java", "new Price()", "price")
    verdict = await verdict_on(root, root.parent / "cache", "javac", edit)
    assert verdict.message.startswith("javac reports: cannot find symbol, symbol variable price")


def hostile(root: Path) -> Path:
    """Add a processor that javac finds by itself; return what it makes, once it has shown that it works."""
    mark, folder = root.parent / "ran", root / "src"
    processor = f"""\
import java.util.Set;
import javax.annotation.processing.*;
import javax.lang.model.element.TypeElement;

@SupportedAnnotationTypes("*")
public class Evil extends AbstractProcessor {{
    public boolean process(Set<? extends TypeElement> types, RoundEnvironment round) {{
        new java.io.File("{mark.as_posix()}").mkdirs();
        return false;
    }}
}}
"""
    write(folder, {"Evil.java": processor})
    javac, till = program_of("javac"), str(folder / "shop" / "Till.java")
    subprocess.run([javac, "-proc:none", "-d", str(folder), str(folder / "Evil.java")], check=True)
    write(folder, {"META-INF/services/javax.annotation.processing.Processor": "Evil\n"})
    subprocess.run([javac, "-cp", str(folder), "-d", str(root.parent), till], check=False)
    assert mark.exists()
    shutil.rmtree(mark)
    return mark


async def test_no_annotation_processor_runs(root: Path) -> None:
    """The workspace's hash is compared by the helper."""
    mark = hostile(root)
    edit = replacing(root, "src/shop/Till.java", "total(1, 2)", 'total(1, "2")')
    assert (await verdict_on(root, root.parent / "cache", "javac", edit)).status == "rejected"
    assert not mark.exists()
