"""From a model's text to what is shown, in five pure stages."""
