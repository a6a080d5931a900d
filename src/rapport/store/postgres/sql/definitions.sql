-- find: List the definitions of a type, most recently created first. Served by definition_by_creation.
SELECT definition_id, created_at, deleted_at, facts::text FROM definition
WHERE account = (SELECT key FROM account WHERE account_id = :account_id) AND type = :type
  AND (created_at, definition_id) < (:after_time::timestamptz, :after_id)
  AND (:name::text IS NULL OR name = :name::text)
  AND CASE WHEN deleted_at IS NULL THEN :with_current::integer ELSE :with_deleted::integer END = 1
ORDER BY created_at DESC, definition_id DESC LIMIT :limit

-- get: Get a definition. Served by the primary key.
SELECT definition_id, created_at, deleted_at, facts::text FROM definition
WHERE account = (SELECT key FROM account WHERE account_id = :account_id) AND type = :type
  AND definition_id = :definition_id

-- count: Count the definitions of a type. Served by definition_by_creation.
SELECT count(*) FROM definition
WHERE account = (SELECT key FROM account WHERE account_id = :account_id) AND type = :type
  AND (:name::text IS NULL OR name = :name::text)
  AND CASE WHEN deleted_at IS NULL THEN :with_current::integer ELSE :with_deleted::integer END = 1

-- count_contacts: Count the contacts with definitions. Reads all of them. Served by the primary keys.
SELECT membership.definition_id, count(*)
FROM membership JOIN contact ON contact.key = membership.contact
WHERE membership.account = (SELECT key FROM account WHERE account_id = :account_id)
  AND membership.type = :type AND membership.definition_id = ANY(:definition_ids::text[])
  AND contact.deleted_at IS NULL AND (:only_active::integer = 0 OR coalesce(contact.permission_to_send, 0) IN (0, 1))
GROUP BY membership.definition_id

-- list_attributes: List the attributes of all definitions. Served by the primary key.
SELECT type, definition_id, facts::text FROM definition
WHERE account = (SELECT key FROM account WHERE account_id = :account_id) ORDER BY type, definition_id

-- get_stored: Get the attributes of definitions. Served by the primary key.
SELECT facts::text FROM definition WHERE account = $1 AND type = $2 AND definition_id = $3

-- put: Insert or update a definition. Served by the primary key.
INSERT INTO definition (account, type, definition_id, name, created_at, deleted_at, facts)
VALUES ($1, $2, $3, $4, $5, $6, $7::text::jsonb)
ON CONFLICT (account, type, definition_id) DO UPDATE SET
    name       = excluded.name,
    created_at = excluded.created_at,
    deleted_at = excluded.deleted_at,
    facts      = excluded.facts
