"""Exit codes of commands whose own codes are an answer: what kept them from answering is none of those.

The numbers are BSD's (sysexits.h), above every code that a command gives as an answer.
"""

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperCommand

from infra.errors import TapeError

USAGE = 64
UNAVAILABLE = 69
SOFTWARE = 70
WITHOUT_ANSWER = f"{USAGE} wrong usage, {UNAVAILABLE} something it needs is away or refuses, {SOFTWARE} a bug of ours"
BROKEN_PIPE = 141
"""128 and the number of SIGPIPE, as a shell says it: whoever was to read the answer has gone."""

#: What typer raises for an option it does not know, a value it cannot read, an argument that is missing.
_WrongUsage: Any = typer.BadParameter.__mro__[1]


class UsageError(TapeError):
    """Options and arguments that do not go together, or cannot be read."""

    def __init__(self, what: str, *, where: str = "", next_command: str = "") -> None:
        super().__init__(what, where=where, next_command=next_command, exit_code=USAGE)


@contextmanager
def read_as_usage() -> Iterator[None]:
    """Read what a person typed: a TapeError says that it cannot be read."""
    try:
        yield
    except TapeError as error:
        error.exit_code = USAGE
        raise


class Answering(TyperCommand):
    """A command whose exit code is its answer.

    Wrong usage ends it with 64, a failure that a person can put right with 69, a bug of ours with 70 and a traceback.
    """

    def make_context(self, *arguments: Any, **extra: Any) -> Any:
        """Parse the arguments."""
        try:
            return super().make_context(*arguments, **extra)
        except _WrongUsage as error:
            error.exit_code = USAGE
            raise

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - typer's signature
        """Say below the options how it ends without an answer."""
        formatter.write_paragraph()
        formatter.write_text(f"Exit code without an answer: {WITHOUT_ANSWER}.")

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except TapeError as error:
            error.exit_code = USAGE if error.exit_code == USAGE else UNAVAILABLE
            raise
        except _WrongUsage as error:
            error.exit_code = USAGE
            raise
        except (typer.Exit, typer.Abort):
            raise
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())  # where Python flushes at its end
            sys.exit(BROKEN_PIPE)
        except Exception as error:  # the edge: Python would end with 1, and 1 is an answer
            if _is_of_kafka(error):
                what = f"Kafka does not answer: {error.args[0].str()}"
                raise TapeError(what, next_command="tape status", exit_code=UNAVAILABLE) from error
            traceback.print_exc()
            sys.exit(SOFTWARE)


def _is_of_kafka(error: Exception) -> bool:
    """Say whether Kafka's client raised it, without importing that client for a command that does not need it."""
    client = sys.modules.get("confluent_kafka")
    return client is not None and isinstance(error, client.KafkaException)
