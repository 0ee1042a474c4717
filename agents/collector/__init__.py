"""The collector: waits for the signals of a run and says what the strategies want together."""
