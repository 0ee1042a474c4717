"""Does what must hold hold? Every invariant, over the whole log, and beside the broker where it can be asked."""
