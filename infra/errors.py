"""The errors that a person reads.

A `TapeError` is expected: the CLI prints it as plain text and exits with its code, 1 unless a command says more.
Anything else that reaches the CLI is a bug of ours and keeps its traceback.
"""

from __future__ import annotations


class TapeError(Exception):
    """Something that a person can put right.

    `what` says what is wrong, with the values that disagree; `where` names the place (file, port, topic and offset);
    `next_command` is what to run or do next. The last two may be empty. `exit_code` is what the process ends with.
    """

    def __init__(self, what: str, *, where: str = "", next_command: str = "", exit_code: int = 1) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.next_command = next_command
        self.exit_code = exit_code

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.next_command:
            lines.append(f"  next:  {self.next_command}")
        return "\n".join(lines)
