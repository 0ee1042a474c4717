-- The broker's names of a thing, by which a run is found (infra/replay/find.py): without these, every fill is looked at.

CREATE INDEX ON fills (exec_id);
CREATE INDEX ON fills (broker_order_id);
CREATE INDEX ON account_activities (activity_id);
