"""The `tape` command: one table of commands in `main`, each in a module of its own."""
