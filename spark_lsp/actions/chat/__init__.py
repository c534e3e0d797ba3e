"""Actions that use a model with a chat template: the prompt, the answer's format, and the checks of the answer.

Never shows unchecked text. Never calls a model that has no template.
"""
