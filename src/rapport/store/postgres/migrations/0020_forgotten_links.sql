-- Links that only erased contacts clicked lose their addresses; a step in Python does that (store/postgres/erasing.py).

-- One row, written to find out whether the database takes writes. On a cluster this table stays where it is.
CREATE TABLE readiness (
    of           text        NOT NULL PRIMARY KEY,
    checked_time timestamptz NOT NULL
);
