"""Counts words."""

from collections import Counter


def count(text: str) -> Counter:
    """Counts the words of a text, whatever their case."""
    return Counter(text.casefold().split())
