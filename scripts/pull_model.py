"""Pull a model of the catalogue like ``spark-lsp models pull``, and report in lines for another program.

``notice TEXT`` is a message to show, ``step DONE TOTAL NAME`` the download's progress, ``error TEXT`` why there is no
model. It needs the light dependencies only, so it runs while llama.cpp compiles. An existing model costs nothing.

python scripts/pull_model.py NAME
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # it runs before the project is installed

from spark_lsp.catalog.model_names import known_model
from spark_lsp.catalog.pull import pull
from spark_lsp.errors import SparkError

SKIP = "MODEL=spark-nano make demo goes without"


def main(name: str) -> int:
    """Pull a model; return the exit code."""
    model = known_model(name)
    if model is None:
        _report("error", f"There is no model named {name} in the list; `spark-lsp models list` shows the names.")
        return 1
    if model.path:
        return 0
    size = f"{model.download_bytes / 1e6:,.0f} MB"
    _report("notice", f"Downloading the model {name} ({size}, licence {model.licence}); {SKIP}.")

    def progress(step: str, done: int, total: int) -> None:
        _report("step", f"{done} {total} {step}")

    try:
        pulled = pull(model, progress, notice=lambda text: _report("notice", " ".join(text.split())))
    except SparkError as error:
        _report("error", f"{error} {error.fix}".strip().replace("\n", " "))
        return 1
    _report("notice", f"{name} is here: {pulled.path}.")
    return 0


def _report(kind: str, text: str) -> None:
    sys.stdout.write(f"{kind} {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
