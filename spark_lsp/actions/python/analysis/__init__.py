"""DataFlow about Python code that several actions need: scopes, control flow, purity, classes, calls. Pure."""
