"""The clock: says on the log what time it is when a run begins to wait for a deadline, and when it is due."""
