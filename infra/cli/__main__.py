"""Runs `tape` as `python -m infra.cli`; the start script comes in here."""

from infra.cli.main import main

main()
