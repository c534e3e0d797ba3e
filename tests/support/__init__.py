"""What tests share: fixtures written as text, expectations that update themselves, named reasons to skip."""
