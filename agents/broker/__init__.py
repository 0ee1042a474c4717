"""The broker agent: carries orders and reads between the log and the brokerage, and decides nothing."""
