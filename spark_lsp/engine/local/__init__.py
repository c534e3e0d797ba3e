"""The engine process on this machine, from the client's side: found or started, asked, watched, stopped."""
