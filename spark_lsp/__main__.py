"""Entry for ``python -m spark_lsp``; it only calls the command line."""

from spark_lsp.cli import main

if __name__ == "__main__":
    main()
