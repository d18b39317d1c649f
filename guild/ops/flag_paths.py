"""Path-typed flags: the one part of reading flags that looks at the world."""

import os


def absolute(text: str) -> str:
    """`~` expanded, and made absolute from the current directory."""
    return os.path.abspath(os.path.expanduser(text))


def exists(path: str) -> bool:
    return os.path.exists(path)
