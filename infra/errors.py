"""The errors that a person reads.

A `TapeError` is expected: the CLI prints it as plain text and exits with 1. Anything else that reaches the CLI is a
bug of ours and keeps its traceback.
"""

from __future__ import annotations


class TapeError(Exception):
    """Something that a person can put right.

    `what` says what is wrong, with the values that disagree; `where` names the place (file, port, topic and offset);
    `next_command` is what to run or do next. The last two may be empty.
    """

    def __init__(self, what: str, *, where: str = "", next_command: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.next_command = next_command

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.next_command:
            lines.append(f"  next:  {self.next_command}")
        return "\n".join(lines)
