"""The seam to a model: one protocol, its values, and the clients that honour it (local process, fake).

Everything above this room sees only ``base``. Never builds prompts from file contents by itself and never imports llama_cpp.
"""
