"""Compile and run programs with the machine's own compilers."""

import shutil
import subprocess
from pathlib import Path

COMPILERS = {"c": "gcc", "cpp": "g++", "rust": "rustc", "java": "javac", "go": "go"}
_NAMES = {"c": "main.c", "cpp": "main.cpp", "rust": "main.rs", "java": "Main.java", "go": "main.go"}


def has_compiler(language: str) -> bool:
    """Whether a language can be built here."""
    return shutil.which(COMPILERS[language]) is not None


def outcome(language: str, program: str, folder: Path) -> str:
    """Return what a program prints, or the compiler's message if it does not build."""
    folder.mkdir(parents=True, exist_ok=True)
    source, built = folder / _NAMES[language], folder / "built"
    source.write_text(program, "utf-8")
    compiler = COMPILERS[language]
    command = {
        "c": [compiler, "-O0", "-w", "-std=gnu11", str(source), "-o", str(built)],
        "cpp": [compiler, "-O0", "-w", "-std=c++17", str(source), "-o", str(built)],
        "rust": [compiler, "-Awarnings", "-Cdebuginfo=0", str(source), "-o", str(built)],
        "java": [compiler, "-nowarn", "-d", str(folder), str(source)],
        "go": [compiler, "build", "-o", str(built), str(source)],
    }[language]
    build = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=120, check=False)
    if build.returncode:
        return f"does not build: {build.stderr[:600]}"
    run = ["java", "-Xshare:auto", "-cp", str(folder), "Main"] if language == "java" else [str(built)]
    output = subprocess.run(run, capture_output=True, text=True, encoding="utf-8", timeout=30, check=False)
    return f"{output.returncode}\n{output.stdout}{output.stderr}"
