-- Ids of contacts that were merged into others: what arrives under contact_id belongs to the contact merged_into. A chain
-- of merges is stored as its end, so that merged_into is never itself a contact_id of this table. The key is that of a
-- contact with that id. On a cluster this table stays where it is, as every server asks the same node.
CREATE TABLE merged_contact (
    key         bytea            NOT NULL PRIMARY KEY,
    account     bigint           NOT NULL,
    contact_id  text COLLATE "C" NOT NULL,
    merged_into text COLLATE "C" NOT NULL,
    merged_time timestamptz      NOT NULL
);

CREATE INDEX merged_contact_by_account ON merged_contact (account, contact_id);
CREATE INDEX merged_contact_by_target ON merged_contact (account, merged_into, contact_id);
