-- The digests of erased contacts get a key, which is kept outside the database (store/erasure_keys.py): without it, an id
-- that is guessed can't be confirmed. last_time: what the contact did or was stated last; it bounds what is refused if
-- erased_time lies in the future because the clock was wrong.

ALTER TABLE erased_contact ADD COLUMN last_time INTEGER NOT NULL DEFAULT 0;
