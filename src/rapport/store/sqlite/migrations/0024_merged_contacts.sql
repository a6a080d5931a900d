-- Ids of contacts that were merged into others: what arrives under contact_id belongs to the contact merged_into. A chain
-- of merges is stored as its end, so that merged_into is never itself a contact_id of this table.
CREATE TABLE merged_contact (
    account     INTEGER NOT NULL REFERENCES account,
    contact_id  TEXT    NOT NULL,
    merged_into TEXT    NOT NULL,
    merged_time INTEGER NOT NULL,
    PRIMARY KEY (account, contact_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX merged_contact_by_target ON merged_contact (account, merged_into);
