"""Speculative decoding from text that is known: the drafter, rewritten passages, and how long a draft pays."""
