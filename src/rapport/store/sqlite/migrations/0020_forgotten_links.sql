-- Links that only erased contacts clicked lose their addresses; a step in Python does that (store/sqlite/erasing.py).

-- Contacts of one address are read in the order of their ids, so that a page goes on at the same place after the contact
-- at which the last page ended was erased.
DROP INDEX contact_by_email_address;

CREATE INDEX contact_by_email_address ON contact (account, email_address COLLATE NOCASE, contact_id)
WHERE email_address IS NOT NULL;

-- One row, written to find out whether the database takes writes.
CREATE TABLE readiness (
    of           TEXT    NOT NULL PRIMARY KEY,
    checked_time INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
