"""Code for tests and scripts: an editor over the real protocol, and workspaces written as one text."""
