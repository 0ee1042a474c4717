"""The schema registry, for tools that read our topics; our own code reads schemas and ids from the committed lock."""
