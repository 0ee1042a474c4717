"""Replay: decide again with today's code what the log says was decided, and show every difference."""
