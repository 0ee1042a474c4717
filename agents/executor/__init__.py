"""The executor: carries a plan out, sells before buys, and gives every plan line its one outcome."""
