"""What client and engine process say to each other: frames and prompt parts. Never imports llama.cpp."""
