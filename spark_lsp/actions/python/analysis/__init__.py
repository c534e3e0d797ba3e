"""Analysis of Python code that the actions share: scopes, control flow, purity, classes and calls. Pure."""
