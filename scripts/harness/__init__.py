"""What tests and scripts both use: an editor over the real protocol, and workspaces written as one text."""
