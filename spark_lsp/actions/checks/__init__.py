"""What an edit that a model wrote must pass before it is offered, and the imports that it still needs.

Each module has one duty and is made of pure functions from texts to a sentence, which is empty when nothing is wrong.
"""
