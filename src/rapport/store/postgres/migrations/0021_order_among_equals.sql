-- Contacts of one name come in the order of their ids, and those without a last name first, on every engine.
DROP INDEX contact_by_name;
DROP INDEX contact_by_last_name;

CREATE INDEX contact_by_name ON contact (
    account, lower(first_name COLLATE "C"), lower(last_name COLLATE "C") NULLS FIRST, contact_id
) WHERE first_name IS NOT NULL;

CREATE INDEX contact_by_last_name ON contact (account, lower(last_name COLLATE "C"), contact_id)
WHERE last_name IS NOT NULL;

-- Contacts change as they opt out and in: with room on its page a new version needs no entry in any index.
ALTER TABLE contact SET (fillfactor = 90);
