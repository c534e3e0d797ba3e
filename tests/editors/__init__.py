"""Tests in real editors: Neovim driven over its own protocol, the VS Code extension built and packed."""
