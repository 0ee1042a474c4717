"""The ledger: books every fill and every activity to the cent, and puts the books beside the broker's account."""
