"""The planner: one object that explains everything that will be sent and everything that will not."""
