-- What was recorded last, for those who listen: keys alone, of the newest activities alone (store/feed.py).

-- number: of the last of the row's keys; each key has the number after the one before. account_id: no key of account,
-- so that a row is read without looking up whose it is. keys: contact, type, created_time, identity, as packed integers
-- of 8, 1, 8 and 8 bytes. left_out: JSON, of each type how many the row leaves out.
CREATE TABLE feed (
    number     INTEGER PRIMARY KEY,
    account_id TEXT NOT NULL,
    left_out   TEXT,
    keys       BLOB NOT NULL
) STRICT;
