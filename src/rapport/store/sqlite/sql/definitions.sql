-- find: List the definitions of a type, most recently created first. Served by definition_by_creation.
SELECT definition_id, created_at, deleted_at, facts FROM definition
WHERE account = (SELECT key FROM account WHERE account_id = :account_id) AND type = :type
  AND (created_at, definition_id) < (:after_time, :after_id)
  AND (:name IS NULL OR name = :name)
  AND iif(deleted_at IS NULL, :with_current, :with_deleted)
ORDER BY created_at DESC, definition_id DESC LIMIT :limit;

-- get: Get a definition. Served by the primary key.
SELECT definition_id, created_at, deleted_at, facts FROM definition
WHERE account = (SELECT key FROM account WHERE account_id = :account_id) AND type = :type
  AND definition_id = :definition_id;

-- count: Count the definitions of a type. Served by definition_by_creation.
SELECT count(*) FROM definition
WHERE account = (SELECT key FROM account WHERE account_id = :account_id) AND type = :type
  AND (:name IS NULL OR name = :name)
  AND iif(deleted_at IS NULL, :with_current, :with_deleted);

-- count_contacts: Count the contacts with definitions. Reads all of them. Served by the primary keys.
SELECT definition_id, count(*)
FROM carray(:definition_ids) AS requested
CROSS JOIN membership ON membership.account = (SELECT key FROM account WHERE account_id = :account_id)
      AND membership.type = :type AND membership.definition_id = requested.value
CROSS JOIN contact ON contact.key = membership.contact
WHERE deleted_at IS NULL AND (NOT :only_active OR coalesce(permission_to_send, 0) IN (0, 1))
GROUP BY definition_id;

-- list_attributes: List the attributes of all definitions. Served by the primary key.
SELECT type, definition_id, facts FROM definition
WHERE account = (SELECT key FROM account WHERE account_id = :account_id) ORDER BY type, definition_id;

-- get_stored: Get the attributes of a definition. Served by the primary key.
SELECT facts FROM definition WHERE account = :account AND type = :type AND definition_id = :definition_id;

-- put: Insert or update a definition. Served by the primary key.
INSERT INTO definition (account, type, definition_id, name, created_at, deleted_at, facts)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
    name       = excluded.name,
    created_at = excluded.created_at,
    deleted_at = excluded.deleted_at,
    facts      = excluded.facts;
