"""The client side of the engine process on this machine: find or start it, send requests, monitor it, stop it."""
