"""What client and engine process exchange: frames and prompt parts. Never imports llama.cpp."""
