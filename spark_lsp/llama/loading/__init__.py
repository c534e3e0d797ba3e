"""Loading a model: llama.cpp's library, devices, threads, memory, and what of a file is known before."""
