"""Sentences one after the other, some of which end in what a candidate says and so have no full stop."""

from collections.abc import Iterable


def joined(parts: Iterable[str]) -> str:
    """The sentences as one text, in which each but the last ends as a sentence does; those that are empty are left out."""
    *first, last = [part for part in parts if part] or [""]
    return " ".join([*map(_ended, first), last])


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…", ":")) else f"{text}."
