"""What runs inside the engine process: the only package that imports llama_cpp.

One thread owns the llama context. Never writes to standard output, never trusts a frame or a file, never meets LSP.
"""
