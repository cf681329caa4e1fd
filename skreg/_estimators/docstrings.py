"""Entries of docstrings that several estimators share."""

from __future__ import annotations

import re


def copy_entries(*others):
    """Fill ``<entries: a, b, ...>`` in a docstring from the first class that documents each.

    ``<entries of Class: a, b, ...>`` names the class.
    """

    def find_entry(name: str, source: str | None) -> str:
        pattern = rf"^    {name} : .*\n(?:(?:     .*)?\n)*"
        chosen = [other for other in others if source in (None, other.__name__)]
        matches = (re.search(pattern, other.__doc__, re.MULTILINE) for other in chosen)
        found = next((match for match in matches if match), None)
        assert found is not None, name
        return found[0].rstrip()

    def fill(match: re.Match) -> str:
        return "\n".join(find_entry(name, match[1]) for name in re.split(r",\s+", match[2]))

    def decorate(cls):
        if cls.__doc__:  # None with python -OO
            cls.__doc__ = re.sub(r"    <entries(?: of (\w+))?: ([^>]*)>", fill, cls.__doc__)
        return cls

    return decorate
