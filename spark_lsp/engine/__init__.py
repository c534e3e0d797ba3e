"""The interface to a model: one protocol, its values, and the clients that implement it (local process, fake).

Everything above this package sees only ``base`` and ``fim``. Never reads the workspace and never imports llama_cpp.
"""
