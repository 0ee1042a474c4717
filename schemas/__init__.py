"""The words: a frozen model and an Avro schema per record, quantities, identities. Pure; imports nothing of ours."""
