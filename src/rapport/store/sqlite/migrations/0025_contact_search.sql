-- The three-letter sequences of addresses, by which contacts are found by any part of them, whatever the case of their
-- letters. The index holds no text of its own: triggers keep it up to date with what the table has.
CREATE VIRTUAL TABLE contact_search USING fts5(
    email_address, content = 'contact', content_rowid = 'key', columnsize = 0, tokenize = 'trigram'
);

-- What is deleted is overwritten, as it may belong to an erased contact.
INSERT INTO contact_search (contact_search, rank) VALUES ('secure-delete', 1);

INSERT INTO contact_search (contact_search) VALUES ('rebuild');

-- Every contact has an entry, also one without an address: the index counts its entries.
CREATE TRIGGER contact_search_insert AFTER INSERT ON contact
BEGIN
    INSERT INTO contact_search (rowid, email_address) VALUES (new.key, new.email_address);
END;

CREATE TRIGGER contact_search_delete AFTER DELETE ON contact
BEGIN
    INSERT INTO contact_search (contact_search, rowid, email_address) VALUES ('delete', old.key, old.email_address);
END;

CREATE TRIGGER contact_search_update AFTER UPDATE OF email_address ON contact
WHEN old.email_address IS NOT new.email_address
BEGIN
    INSERT INTO contact_search (contact_search, rowid, email_address) VALUES ('delete', old.key, old.email_address);
    INSERT INTO contact_search (rowid, email_address) VALUES (new.key, new.email_address);
END;
