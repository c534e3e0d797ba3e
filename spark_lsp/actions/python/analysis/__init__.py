"""Analysis of Python code that several actions share: scopes, control flow, purity, classes and calls. Pure."""
