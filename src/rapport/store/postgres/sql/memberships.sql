-- get_contacts: Get what the creation and the memberships of contacts are derived from. Served by the primary keys.
SELECT contact.key, contact.account, contact.contact_id, facts::text, contact.created_at, contact.updated_at,
       account.account_id
FROM contact JOIN account ON account.key = contact.account
WHERE contact.key = ANY($1::bytea[])

-- get_first_times: Get the time of the first activity of contacts. Served by the primary key.
SELECT contact, min(created_time) FROM tracking_activity WHERE contact = ANY($1::bytea[]) GROUP BY contact

-- get: Get the memberships of contacts. Served by membership_by_contact.
SELECT contact, type, definition_id, created_at FROM membership WHERE contact = ANY($1::bytea[])

-- delete: Delete a membership. Served by the primary key.
DELETE FROM membership
WHERE account = $1 AND type = $2 AND definition_id = $3 AND created_at = $4 AND contact_id = $5 AND contact = $6

-- delete_all: Delete the memberships of a contact. Served by membership_by_contact.
DELETE FROM membership WHERE contact = $1

-- add: Insert a membership.
INSERT INTO membership (account, type, definition_id, created_at, contact_id, contact)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING

-- update_contact: Set the times of a contact's creation and its last update. Served by the primary key.
UPDATE contact SET created_at = $2, updated_at = $3 WHERE key = $1

-- list_created_at: List when contacts were created, unless a source has set it. Served by the primary key.
SELECT key, created_at FROM contact WHERE key = ANY($1::bytea[]) AND facts -> 'created_at' IS NULL

-- lower_created_at: Set the creation of a contact to an earlier activity. Served by the primary key.
UPDATE contact SET created_at = $2, updated_at = CASE WHEN facts IS NULL THEN $2::timestamptz ELSE updated_at END
WHERE key = $1 AND created_at > $2 AND facts -> 'created_at' IS NULL
