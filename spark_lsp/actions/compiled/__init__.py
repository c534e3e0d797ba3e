"""Mechanics for Go, Rust, Java, C and C++: what the syntax tree alone can make right, and nothing more.

There is no type checker here, so whatever hangs on a type that is not written down is refused with the reason.
"""
