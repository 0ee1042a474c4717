"""A table for a person, in the width there is: words are never broken, so every id can be copied whole.

What is too wide is folded between words; columns for which even that leaves no room stand below their row, by name.
"""

from collections.abc import Collection, Iterator, Sequence
from textwrap import wrap

GAP = 2
PROSE_MIN = 24
"""A column of sentences that would be narrower than this stands below its row."""

_INDENT = "    "

Cells = Sequence[str]


def laid_out(
    columns: Cells, rows: Sequence[Cells], numbers: Collection[str], width: int
) -> tuple[list[str], list[str]]:
    """Return the lines of a table's head and those of its rows; `numbers` are flush right."""
    beside = _beside(columns, rows, width)
    widths = _fitting([[column, *(row[at] for row in rows)] for at, column in enumerate(columns[:beside])], width)
    is_right = [column in numbers for column in columns[:beside]]
    body: list[str] = []
    for row in rows:
        body += _folded(row[:beside], widths, is_right)
        body += _below(columns[beside:], row[beside:], width)
    return list(_folded(columns[:beside], widths, is_right)), body


def _beside(columns: Cells, rows: Sequence[Cells], width: int) -> int:
    """Return how many columns stand beside each other; the others stand below. The first always stands there."""
    least = [_least([column, *(row[at] for row in rows)]) for at, column in enumerate(columns)]
    beside = len(columns)
    while beside > 1 and sum(least[:beside]) + GAP * (beside - 1) > width:
        beside -= 1
    return beside


def _least(cells: Cells) -> int:
    """Return how narrow a column may be: no narrower than a word, nor, where it has sentences, than can be read."""
    return max(_longest_word(cells), min(PROSE_MIN, max(map(len, cells))))


def _longest_word(cells: Cells) -> int:
    return max((len(word) for cell in cells for word in cell.split()), default=0)


def _fitting(columns: Sequence[Cells], width: int) -> list[int]:
    """Return the width of each column: as wide as it is, the widest made narrower until all fit."""
    widths = [max(map(len, cells)) for cells in columns]
    least = [_least(cells) for cells in columns]
    while sum(widths) + GAP * (len(widths) - 1) > width:
        room, widest = max((wide - low, at) for at, (wide, low) in enumerate(zip(widths, least, strict=True)))
        if not room:
            break
        widths[widest] -= 1
    return widths


def _folded(cells: Cells, widths: Sequence[int], is_right: Sequence[bool]) -> Iterator[str]:
    columns = [_lines(cell, width) for cell, width in zip(cells, widths, strict=True)]
    for at in range(max(map(len, columns))):
        parts = [lines[at] if at < len(lines) else "" for lines in columns]
        placed = (
            part.rjust(width) if right else part.ljust(width)
            for part, width, right in zip(parts, widths, is_right, strict=True)
        )
        yield (" " * GAP).join(placed).rstrip()


def _below(columns: Cells, cells: Cells, width: int) -> Iterator[str]:
    said = ", ".join(f"{column} {cell}" for column, cell in zip(columns, cells, strict=True) if cell.strip(" -"))
    yield from (f"{_INDENT}{line}" for line in _lines(said, max(width - len(_INDENT), 1)) if line)


def _lines(text: str, width: int) -> list[str]:
    """Break a text between words; what stands in front of its first word stays there."""
    if len(text) <= width:
        return [text]
    margin = text[: len(text) - len(text.lstrip())]
    return wrap(
        text.strip(),
        max(width, 1),
        initial_indent=margin,
        subsequent_indent=margin,
        break_long_words=False,
        break_on_hyphens=False,
    )
