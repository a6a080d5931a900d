-- Who looks for a contact by its name finds it, whatever the case of its letters (those of ASCII). A contact without a
-- name takes no byte of these.

CREATE INDEX contact_by_name ON contact (account, lower(first_name COLLATE "C"), lower(last_name COLLATE "C"))
WHERE first_name IS NOT NULL;

CREATE INDEX contact_by_last_name ON contact (account, lower(last_name COLLATE "C")) WHERE last_name IS NOT NULL;
