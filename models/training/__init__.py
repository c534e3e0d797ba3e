"""Makes the embedded model: data, tokenizer, samples, training, export, evaluation. Its README has the commands.

Runs from the repository's root as modules (``python -m models.training.train``). Nothing of the product imports it.
"""
