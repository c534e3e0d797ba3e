#!/bin/sh
# Finds Python 3.11 to 3.14, makes .venv and installs the project into it. Arguments go to scripts/install.py.
# Needs nothing but a POSIX shell; does nothing the second time. PYTHON=... chooses another Python for a new .venv.
set -eu
cd "$(dirname "$0")/.."

fail() {
    printf 'spark-lsp: %s\n' "$1" >&2
    exit 1
}

usable() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' </dev/null >/dev/null 2>&1
}

# The command that installs a package here: package names for apt, dnf, pacman, apk, brew.
how_to_install() {
    if command -v apt-get >/dev/null 2>&1; then echo "sudo apt-get install $1"
    elif command -v dnf >/dev/null 2>&1; then echo "sudo dnf install $2"
    elif command -v pacman >/dev/null 2>&1; then echo "sudo pacman -S $3"
    elif command -v apk >/dev/null 2>&1; then echo "sudo apk add $4"
    else echo "brew install $5"
    fi
}

if ! usable .venv/bin/python; then
    python=
    for candidate in ${PYTHON:-} python3.14 python3.13 python3.12 python3.11 python3 python; do
        if usable "$candidate"; then
            python=$candidate
            break
        fi
    done
    [ -n "$python" ] || fail "Python 3.11 to 3.14 is needed and none was found on PATH: $(
        how_to_install 'python3 python3-venv' python3 python python3 python) (an older system: python3.11 python3.11-venv)."
    "$python" -c 'import ensurepip, venv' </dev/null >/dev/null 2>&1 ||
        fail "$("$python" --version) has no venv module: $(
            how_to_install "python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv" \
                python3 python python3 python)."
    echo "Making .venv with $("$python" --version)."
    "$python" -m venv --clear .venv || fail "the environment .venv could not be made with $python."
fi

exec .venv/bin/python scripts/install.py "$@"
