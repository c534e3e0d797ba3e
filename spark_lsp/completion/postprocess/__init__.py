"""Five pure stages from a model's text to the text that is shown."""
