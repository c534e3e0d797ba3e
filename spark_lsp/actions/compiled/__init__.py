"""Refactorings for Go, Rust, Java, C and C++ that the syntax tree alone can prove correct.

There is no type checker, so anything that depends on a type that is not written in the code is refused with the reason.
"""
