"""The engine of this machine behind OpenAI's HTTP API, for other programs; off unless the user starts it.

Answers requests and never starts anything by itself. Editors go before: docs/endpoint.md.
"""
