"""Models behind OpenAI-compatible endpoints: consent, requests, streams, health."""
