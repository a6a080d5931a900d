-- get_contacts: Get what the creation and the memberships of contacts are derived from. Served by the primary key.
SELECT contact.key, account, contact_id, facts, created_at, updated_at
FROM carray(:contacts) AS requested CROSS JOIN contact ON contact.key = requested.value;

-- get_first_times: Get the time of the first activity of contacts. Served by the primary key.
SELECT requested.value,
       (SELECT min((SELECT min(created_time) FROM tracking_activity
                    WHERE tracking_activity.contact = requested.value AND tracking_activity.type = types.value))
        FROM json_each('[0,1,2,3,4,5,6,7,8,9]') AS types)
FROM carray(:contacts) AS requested;

-- list_contacts: List the keys of the next contacts of all accounts. Served by the primary key.
SELECT key FROM contact WHERE key > :after ORDER BY key LIMIT :limit;

-- get: Get the memberships of contacts. Served by membership_by_contact.
SELECT contact, type, definition_id, created_at
FROM carray(:contacts) AS requested CROSS JOIN membership ON membership.contact = requested.value;

-- delete: Delete a membership. Served by the primary key.
DELETE FROM membership
WHERE account = ? AND type = ? AND definition_id = ? AND created_at = ? AND contact_id = ?;

-- delete_all: Delete the memberships of a contact. Served by membership_by_contact.
DELETE FROM membership WHERE contact = :contact;

-- add: Insert a membership.
INSERT INTO membership (account, type, definition_id, created_at, contact_id, contact) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING;

-- update_contact: Set the times of a contact's creation and its last update. Served by the primary key.
UPDATE contact SET created_at = ?, updated_at = ? WHERE key = ?;

-- lower_created_at: Set the creation of a contact to an earlier activity, unless a source has set it. Return whether the
-- contact has attributes. Served by the primary key.
UPDATE contact SET created_at = :time, updated_at = iif(facts IS NULL, :time, updated_at)
WHERE key = :contact AND coalesce(created_at > :time, true) AND facts ->> '$.created_at[0]' IS NULL
RETURNING facts IS NOT NULL;
