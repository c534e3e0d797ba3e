"""Refactorings for Go, Rust, Java, C and C++ that the syntax tree alone can prove correct.

There is no type checker here, so whatever hangs on a type that is not written down is refused with the reason.
"""
