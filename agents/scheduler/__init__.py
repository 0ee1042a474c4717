"""The scheduler: turns a request into a run or refuses it, and says when the time to wait for signals is over."""
