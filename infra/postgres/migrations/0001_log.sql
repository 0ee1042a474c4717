-- The log itself: where every record lies, how far the projection has come, and what could not be read.

CREATE TABLE log_index (
    topic text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    event_id uuid NOT NULL,
    correlation_id uuid NOT NULL,
    causation_id uuid NOT NULL,
    event_type text NOT NULL,
    agent text,
    seq bigint,
    ordinal bigint,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz,
    account_id text,
    PRIMARY KEY (topic, partition, "offset")
);
CREATE INDEX ON log_index (correlation_id);
CREATE INDEX ON log_index (event_id);
COMMENT ON TABLE log_index IS 'Every record that could be read: where it lies, who it is, what it follows from.';
COMMENT ON COLUMN log_index.topic IS 'Topic of the record.';
COMMENT ON COLUMN log_index.partition IS 'Its partition.';
COMMENT ON COLUMN log_index."offset" IS 'Its offset; offsets have holes, where transactions end.';
COMMENT ON COLUMN log_index.event_id IS 'Identity of the record, derived from its cause.';
COMMENT ON COLUMN log_index.correlation_id IS 'The run, or the outside event, that started it all.';
COMMENT ON COLUMN log_index.causation_id IS 'event_id of the direct cause; its own event_id where the chain starts.';
COMMENT ON COLUMN log_index.event_type IS 'Name of the record type.';
COMMENT ON COLUMN log_index.agent IS 'Who published it, from its headers; null when they do not say.';
COMMENT ON COLUMN log_index.seq IS
    'Number of the decision among its agent-partition''s; null for what comes from outside.';
COMMENT ON COLUMN log_index.ordinal IS 'Place of the record in its decision, from 0; null for what comes from outside.';
COMMENT ON COLUMN log_index.occurred_at IS 'Time of the record''s cause.';
COMMENT ON COLUMN log_index.recorded_at IS 'Kafka''s timestamp of the record; null when it has none.';
COMMENT ON COLUMN log_index.account_id IS 'The brokerage account; null for records that belong to none.';

CREATE TABLE tracking (
    projection text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    next_offset bigint NOT NULL,
    PRIMARY KEY (projection, topic, partition)
);
COMMENT ON TABLE tracking IS 'How far each projection has come; written in the transaction that writes the rows.';
COMMENT ON COLUMN tracking.projection IS 'Name of the projection; the projector writes as projector.';
COMMENT ON COLUMN tracking.topic IS 'Topic that is read.';
COMMENT ON COLUMN tracking.partition IS 'Its partition.';
COMMENT ON COLUMN tracking.next_offset IS 'First offset that is not in the tables yet.';

CREATE TABLE dead_letters (
    origin_topic text NOT NULL,
    origin_partition bigint NOT NULL,
    origin_offset bigint NOT NULL,
    agent text NOT NULL,
    unreadable text NOT NULL,
    error text NOT NULL,
    raw_key bytea,
    raw_value bytea,
    raw_headers bytea NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    event_id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (origin_topic, origin_partition, origin_offset, agent)
);
COMMENT ON TABLE dead_letters IS 'A record that could not be read, or not be kept here: its bytes, its place, and why.';
COMMENT ON COLUMN dead_letters.origin_topic IS 'Topic it was read from.';
COMMENT ON COLUMN dead_letters.origin_partition IS 'Partition it was read from.';
COMMENT ON COLUMN dead_letters.origin_offset IS 'Its offset.';
COMMENT ON COLUMN dead_letters.agent IS 'Who could not read it; projector also where PostgreSQL refused its values.';
COMMENT ON COLUMN dead_letters.unreadable IS 'Which check it failed.';
COMMENT ON COLUMN dead_letters.error IS 'The two values that disagree, for a person.';
COMMENT ON COLUMN dead_letters.raw_key IS 'Its key, unchanged.';
COMMENT ON COLUMN dead_letters.raw_value IS 'Its value, unchanged.';
COMMENT ON COLUMN dead_letters.raw_headers IS 'Its headers as one length-prefixed block, unchanged.';
COMMENT ON COLUMN dead_letters.partition IS
    'Partition of the dead letter; of the record itself where the agent is projector.';
COMMENT ON COLUMN dead_letters."offset" IS 'Offset in that partition.';
COMMENT ON COLUMN dead_letters.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN dead_letters.occurred_at IS 'Time of the record''s cause.';
