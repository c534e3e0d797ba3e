"""Spark LSP: real-time, whole-repository AI coding from a model on the user's own machine.

The packages, from the outermost inwards (docs/architecture.md has the boundaries):

    cli         typer commands: print, never compute
    app         composition root: names every concrete class
    server      the only package that knows LSP; converts, calls, converts back
    completion  inline completion, from gate to trim        actions  code actions, proposed and checked
    prompt      what the model is shown, and why            catalog  known models
    index       symbols, references and imports of the workspace
    engine      the interface to a model: protocol, client, fake llama    what runs inside the engine process
    text        snapshots, spans, languages, syntax         config, errors, pacing, trace: base modules
"""

__version__ = "0.1.0"
