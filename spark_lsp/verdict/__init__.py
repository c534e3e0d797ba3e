"""What a type checker or compiler of the user's reports about an edit before it is offered."""
