-- The digests of erased contacts get a key, a row of the table secret (store/erasure_keys.py): without it, an id that is
-- guessed can't be confirmed. Until now they were the contacts' own keys; a step in Python converts them. On a cluster
-- this table stays where it is, as every server asks one and the same node.

ALTER TABLE erased_contact RENAME TO unkeyed_erased_contact;

-- last_time: what the contact did or was stated last; it bounds what is refused if erased_time lies in the future because
-- the clock was wrong.
CREATE TABLE erased_contact (
    digest      bytea       NOT NULL,
    account     bigint      NOT NULL,
    erased_time timestamptz NOT NULL,
    last_time   timestamptz NOT NULL,
    CONSTRAINT erased_contact_by_digest PRIMARY KEY (digest)
);
