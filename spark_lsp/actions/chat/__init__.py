"""Actions that talk to a model with a chat template: the prompt, the answer's format, and the checks of what it wrote.

Never shows what was not checked. A model without a template is never asked.
"""
