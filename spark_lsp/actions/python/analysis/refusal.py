"""What the actions on Python say when they cannot be done, where several say the same. Plain values."""

TOO_SMALL = frozenset({"identifier", "integer", "float", "string", "true", "false", "none"})
NOT_READ = "The document does not compile, so its names cannot be told."
NOTHING = "The selection is neither whole statements nor one expression."
UNFAITHFUL = "The selection cannot be moved without a change of what it says."
