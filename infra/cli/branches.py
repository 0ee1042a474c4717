"""A tree drawn in the width there is: words are never broken, so every id can be copied whole.

Where the branches leave no room for the longest word, they stand closer together.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Word(NamedTuple):
    """Something that stays on one line, and how it looks."""

    text: str
    style: str = ""


@dataclass(frozen=True)
class Branch:
    """What is said at one place of a tree, and what hangs below it."""

    words: Sequence[Word]
    below: Sequence["Branch"]


class _Guides(NamedTuple):
    """How a branch is reached: with others below it, as the last one; and what stands below it then."""

    between: str
    last: str
    on: str
    off: str


WIDE = _Guides("├── ", "└── ", "│   ", "    ")
NARROW = _Guides("├ ", "└ ", "│ ", "  ")

Line = list[Word]


def drawn(root: Branch, width: int) -> Iterator[Line]:
    """Yield the lines of a tree; only a word that is wider than all of it makes a line wider."""
    guides = WIDE if _needed(root, len(WIDE.on)) <= width else NARROW
    stack = [(root, "", "")]
    while stack:
        branch, first, rest = stack.pop()
        yield from _filled(branch.words, first, rest, width)
        last = len(branch.below) - 1
        hanging = [
            (
                each,
                rest + (guides.last if at == last else guides.between),
                rest + (guides.off if at == last else guides.on),
            )
            for at, each in enumerate(branch.below)
        ]
        stack.extend(reversed(hanging))


def _needed(root: Branch, step: int) -> int:
    """Return how wide the longest word makes the tree where each branch hangs so much further in."""
    needed, stack = 0, [(root, 0)]
    while stack:
        branch, margin = stack.pop()
        needed = max(needed, margin + max((len(word.text) for word in branch.words), default=0))
        stack.extend((each, margin + step) for each in branch.below)
    return needed


def _filled(words: Sequence[Word], first: str, rest: str, width: int) -> Iterator[Line]:
    line, used, is_empty = [Word(first, "dim")], len(first), True
    for word in words:
        if not is_empty and used + 1 + len(word.text) > width:
            yield line
            line, used, is_empty = [Word(rest, "dim")], len(rest), True
        blank = "" if is_empty else " "
        line += [Word(blank), word]
        used += len(blank) + len(word.text)
        is_empty = False
    yield line
