"""The executor: carries a plan out, reducing orders before increasing ones, and gives every line its one outcome."""
