"""The outside world: the runtime on Faust, the embedded stack, brokers, projections, the CLI and settings."""
