-- get: Get a contact. Served by the primary key.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE key = :contact

-- get_attributes: Get the attributes of a contact. Served by the primary key.
SELECT facts::text FROM contact WHERE key = :contact AND facts IS NOT NULL

-- find: List the contacts of an account created in a period that match the other filters, most recently created first.
-- Served by contact_by_creation.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND created_at >= :created_after AND (created_at, contact_id) < (:after_time::timestamptz, :after)
  AND (:opted_out_after::timestamptz IS NULL OR opt_out_date BETWEEN :opted_out_after AND :opted_out_before::timestamptz)
  AND :status_bits::integer >> CASE WHEN deleted_at IS NULL THEN coalesce(permission_to_send, 6) ELSE 7 END & 1 = 1
ORDER BY created_at DESC, contact_id DESC LIMIT :limit

-- find_by_address: List the contacts with an email address, most recently created first. Reads all of them. Served by
-- contact_by_email_address.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND lower(email_address COLLATE "C") = lower(:email_address::text COLLATE "C")
  AND created_at >= :created_after AND (created_at, contact_id) < (:after_time::timestamptz, :after)
  AND (:updated_after::timestamptz IS NULL OR updated_at BETWEEN :updated_after AND :updated_before::timestamptz)
  AND (:opted_out_after::timestamptz IS NULL OR opt_out_date BETWEEN :opted_out_after AND :opted_out_before::timestamptz)
  AND :status_bits::integer >> CASE WHEN deleted_at IS NULL THEN coalesce(permission_to_send, 6) ELSE 7 END & 1 = 1
ORDER BY created_at DESC, contact_id DESC LIMIT :limit

-- find_owner: Find the contact that has an email address: one that isn't deleted, if there is one. Served by
-- contact_by_email_address.
SELECT contact_id FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = $1)
  AND lower(email_address COLLATE "C") = lower($2::text COLLATE "C") AND contact_id <> $3
ORDER BY deleted_at IS NOT NULL, contact_id LIMIT 1

-- get_address: Get the email address of a contact. Served by the primary key.
SELECT email_address FROM contact WHERE key = $1

-- find_by_update: List the contacts last updated in a period that match the other filters. Served by contact_by_update.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND updated_at BETWEEN :updated_after AND :updated_before AND (updated_at, contact_id) > (:after_time::timestamptz, :after)
  AND (:created_after::timestamptz IS NULL OR created_at BETWEEN :created_after AND :created_before::timestamptz)
  AND (:opted_out_after::timestamptz IS NULL OR opt_out_date BETWEEN :opted_out_after AND :opted_out_before::timestamptz)
  AND (:email_address::text IS NULL OR lower(email_address COLLATE "C") = lower(:email_address::text COLLATE "C"))
  AND :status_bits::integer >> CASE WHEN deleted_at IS NULL THEN coalesce(permission_to_send, 6) ELSE 7 END & 1 = 1
ORDER BY updated_at, contact_id LIMIT :limit

-- find_members: List the contacts on a list or with a tag that match the filters, most recently created first. Served by
-- the primary keys; OFFSET keeps the planner from reading contacts first.
SELECT contact.contact_id, email_address, first_name, last_name, permission_to_send, contact.created_at, updated_at,
       deleted_at, opt_out_date, opt_out_source, opt_out_reason
FROM membership CROSS JOIN LATERAL (SELECT * FROM contact WHERE key = membership.contact OFFSET 0) AS contact
WHERE membership.account = (SELECT key FROM account WHERE account_id = :account_id)
  AND membership.type = :type AND membership.definition_id = :definition_id
  AND (membership.created_at, membership.contact_id) < (:after_time::timestamptz, :after)
  AND membership.created_at >= :created_after
  AND (:updated_after::timestamptz IS NULL OR updated_at BETWEEN :updated_after AND :updated_before::timestamptz)
  AND (:opted_out_after::timestamptz IS NULL OR opt_out_date BETWEEN :opted_out_after AND :opted_out_before::timestamptz)
  AND (:email_address::text IS NULL OR lower(email_address COLLATE "C") = lower(:email_address::text COLLATE "C"))
  AND :status_bits::integer >> CASE WHEN deleted_at IS NULL THEN coalesce(permission_to_send, 6) ELSE 7 END & 1 = 1
ORDER BY membership.created_at DESC, membership.contact_id DESC LIMIT :limit

-- find_tagged_members: The same for contacts that have one of several tags as well. Served by the primary keys and
-- membership_by_contact.
SELECT contact.contact_id, email_address, first_name, last_name, permission_to_send, contact.created_at, updated_at,
       deleted_at, opt_out_date, opt_out_source, opt_out_reason
FROM membership CROSS JOIN LATERAL (SELECT * FROM contact WHERE key = membership.contact OFFSET 0) AS contact
WHERE membership.account = (SELECT key FROM account WHERE account_id = :account_id)
  AND membership.type = :type AND membership.definition_id = :definition_id
  AND (membership.created_at, membership.contact_id) < (:after_time::timestamptz, :after)
  AND membership.created_at >= :created_after
  AND (:updated_after::timestamptz IS NULL OR updated_at BETWEEN :updated_after AND :updated_before::timestamptz)
  AND (:opted_out_after::timestamptz IS NULL OR opt_out_date BETWEEN :opted_out_after AND :opted_out_before::timestamptz)
  AND (:email_address::text IS NULL OR lower(email_address COLLATE "C") = lower(:email_address::text COLLATE "C"))
  AND :status_bits::integer >> CASE WHEN deleted_at IS NULL THEN coalesce(permission_to_send, 6) ELSE 7 END & 1 = 1
  AND EXISTS (SELECT 1 FROM membership AS tagging WHERE tagging.contact = contact.key AND tagging.type = 1
              AND tagging.definition_id = ANY(:tags::text[]))
ORDER BY membership.created_at DESC, membership.contact_id DESC LIMIT :limit

-- find_by_opt_out: List the contacts unsubscribed in a period by that time. Served by contact_by_opt_out.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND opt_out_date BETWEEN :opted_out_after AND :opted_out_before AND (opt_out_date, contact_id) > (:after_time::timestamptz, :after)
  AND (:email_address::text IS NULL OR lower(email_address COLLATE "C") = lower(:email_address::text COLLATE "C"))
  AND :status_bits::integer >> CASE WHEN deleted_at IS NULL THEN coalesce(permission_to_send, 6) ELSE 7 END & 1 = 1
ORDER BY opt_out_date, contact_id LIMIT :limit

-- count: Count the contacts that match the filters, on all pages. Reads every contact of the account.
SELECT count(*) FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND (:updated_after::timestamptz IS NULL OR updated_at BETWEEN :updated_after AND :updated_before::timestamptz)
  AND (:created_after::timestamptz IS NULL OR created_at BETWEEN :created_after AND :created_before::timestamptz)
  AND (:opted_out_after::timestamptz IS NULL OR opt_out_date BETWEEN :opted_out_after AND :opted_out_before::timestamptz)
  AND (:email_address::text IS NULL OR lower(email_address COLLATE "C") = lower(:email_address::text COLLATE "C"))
  AND :status_bits::integer >> CASE WHEN deleted_at IS NULL THEN coalesce(permission_to_send, 6) ELSE 7 END & 1 = 1

-- count_by_address: Count the contacts with an email address that match the filters. Served by
-- contact_by_email_address.
SELECT count(*) FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND lower(email_address COLLATE "C") = lower(:email_address::text COLLATE "C")
  AND (:updated_after::timestamptz IS NULL OR updated_at BETWEEN :updated_after AND :updated_before::timestamptz)
  AND (:created_after::timestamptz IS NULL OR created_at BETWEEN :created_after AND :created_before::timestamptz)
  AND (:opted_out_after::timestamptz IS NULL OR opt_out_date BETWEEN :opted_out_after AND :opted_out_before::timestamptz)
  AND :status_bits::integer >> CASE WHEN deleted_at IS NULL THEN coalesce(permission_to_send, 6) ELSE 7 END & 1 = 1

-- count_members: Count the contacts on any of several lists, or with any of several tags, that match the filters. Reads all
-- of them. Served by the primary keys.
SELECT count(DISTINCT contact.key)
FROM membership JOIN contact ON contact.key = membership.contact
WHERE membership.account = (SELECT key FROM account WHERE account_id = :account_id)
  AND membership.type = :type AND membership.definition_id = ANY(:definition_ids::text[])
  AND (:created_after::timestamptz IS NULL OR contact.created_at BETWEEN :created_after AND :created_before::timestamptz)
  AND (:updated_after::timestamptz IS NULL OR updated_at BETWEEN :updated_after AND :updated_before::timestamptz)
  AND (:opted_out_after::timestamptz IS NULL OR opt_out_date BETWEEN :opted_out_after AND :opted_out_before::timestamptz)
  AND (:email_address::text IS NULL OR lower(email_address COLLATE "C") = lower(:email_address::text COLLATE "C"))
  AND :status_bits::integer >> CASE WHEN deleted_at IS NULL THEN coalesce(permission_to_send, 6) ELSE 7 END & 1 = 1

-- count_tagged_members: The same for contacts that have one of several tags as well. Served by the same.
SELECT count(DISTINCT contact.key)
FROM membership JOIN contact ON contact.key = membership.contact
WHERE membership.account = (SELECT key FROM account WHERE account_id = :account_id)
  AND membership.type = :type AND membership.definition_id = ANY(:definition_ids::text[])
  AND (:created_after::timestamptz IS NULL OR contact.created_at BETWEEN :created_after AND :created_before::timestamptz)
  AND (:updated_after::timestamptz IS NULL OR updated_at BETWEEN :updated_after AND :updated_before::timestamptz)
  AND (:opted_out_after::timestamptz IS NULL OR opt_out_date BETWEEN :opted_out_after AND :opted_out_before::timestamptz)
  AND (:email_address::text IS NULL OR lower(email_address COLLATE "C") = lower(:email_address::text COLLATE "C"))
  AND :status_bits::integer >> CASE WHEN deleted_at IS NULL THEN coalesce(permission_to_send, 6) ELSE 7 END & 1 = 1
  AND EXISTS (SELECT 1 FROM membership AS tagging WHERE tagging.contact = contact.key AND tagging.type = 1
              AND tagging.definition_id = ANY(:tags::text[]))

-- count_by_status: Count the contacts of an account by status. Served by contact_by_account, read through.
SELECT CASE WHEN deleted_at IS NULL THEN coalesce(permission_to_send, 6) ELSE 7 END AS status, count(*)
FROM contact WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
GROUP BY status

-- find_by_email_address_prefix: List the contacts whose email address starts with a prefix, in its order. Served by
-- contact_by_email_address.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND lower(email_address COLLATE "C") >= lower(:start::text COLLATE "C")
  AND lower(email_address COLLATE "C") < lower(:end::text COLLATE "C")
ORDER BY lower(email_address COLLATE "C"), contact_id LIMIT :limit

-- find_by_first_name_prefix: List the contacts whose first name starts with a prefix, in its order. Served by
-- contact_by_name.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND lower(first_name COLLATE "C") >= lower(:start::text COLLATE "C")
  AND lower(first_name COLLATE "C") < lower(:end::text COLLATE "C")
ORDER BY lower(first_name COLLATE "C"), lower(last_name COLLATE "C") NULLS FIRST, contact_id LIMIT :limit

-- find_by_last_name_prefix: List the contacts whose last name starts with a prefix, in its order. Served by
-- contact_by_last_name.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND lower(last_name COLLATE "C") >= lower(:start::text COLLATE "C")
  AND lower(last_name COLLATE "C") < lower(:end::text COLLATE "C")
ORDER BY lower(last_name COLLATE "C"), contact_id LIMIT :limit

-- find_by_full_name_prefix: List the contacts with a first name whose last name starts with a prefix. Served by
-- contact_by_name.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND lower(first_name COLLATE "C") = lower(:first_name::text COLLATE "C")
  AND lower(last_name COLLATE "C") >= lower(:start::text COLLATE "C")
  AND lower(last_name COLLATE "C") < lower(:end::text COLLATE "C")
ORDER BY lower(last_name COLLATE "C") NULLS FIRST, contact_id LIMIT :limit

-- find_by_contact_id_prefix: List the contacts whose id starts with a prefix, in its order. Served by
-- contact_by_account.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id) AND contact_id >= :start AND contact_id < :end
ORDER BY contact_id LIMIT :limit

-- list_attributes_of: List the attributes of contacts by key. Served by the primary key.
SELECT contact_id, facts::text FROM contact WHERE key = ANY($1::bytea[]) AND facts IS NOT NULL

-- list_last_times: List the times of the last activities of contacts that no source has updated. Served by
-- contact_by_account and the primary key.
SELECT contact.contact_id, max(last.created_time)
FROM contact CROSS JOIN (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) AS types (type)
CROSS JOIN LATERAL (
    SELECT created_time FROM tracking_activity
    WHERE tracking_activity.contact = contact.key AND tracking_activity.type = types.type
    ORDER BY created_time DESC LIMIT 1
) AS last
WHERE contact.account = (SELECT key FROM account WHERE account_id = :account_id)
  AND contact.contact_id = ANY(:contact_ids::text[]) AND contact.facts IS NULL
GROUP BY contact.contact_id

-- list_ids: List the ids of an account's contacts after an id. Served by contact_by_account.
SELECT contact_id FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id) AND contact_id > :after
ORDER BY contact_id LIMIT :limit

-- find_any: Find any contact of an account. Served by contact_by_account.
SELECT 1 FROM contact WHERE account = (SELECT key FROM account WHERE account_id = :account_id) LIMIT 1

-- list_attributes: List the attributes of contacts by id. Served by contact_by_account.
SELECT contact_id, facts::text FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id) AND contact_id > :after AND facts IS NOT NULL
ORDER BY contact_id LIMIT :limit

-- lock_account: Wait until no other transaction merges updates of the account.
SELECT pg_advisory_xact_lock($1)

-- get_all_attributes: Get the keys and attributes of contacts. Served by the primary key.
SELECT key, facts::text FROM contact WHERE key = ANY($1)

-- upsert: Set the attributes of contacts, creating those that don't exist. Served by the primary key.
INSERT INTO contact (
    key, account, contact_id, email_address, first_name, last_name,
    created_at, updated_at, deleted_at, facts
)
SELECT updated.key, updated.account, updated.contact_id, updated.email_address, updated.first_name, updated.last_name,
       updated.created_at, updated.updated_at, updated.deleted_at, updated.facts::jsonb
FROM unnest(
    $1::bytea[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[],
    $7::timestamptz[], $8::timestamptz[], $9::timestamptz[], $10::text[]
) AS updated (
    key, account, contact_id, email_address, first_name, last_name, created_at, updated_at, deleted_at, facts
)
ORDER BY updated.key
ON CONFLICT (key) DO UPDATE SET
    deleted_at = excluded.deleted_at,
    facts      = excluded.facts
RETURNING key, email_address, first_name, last_name

-- find_collation: Find the first of these collations that the database has for its encoding.
SELECT requested.name
FROM unnest($1::text[]) WITH ORDINALITY AS requested (name, place)
JOIN pg_collation ON collname = requested.name
WHERE collencoding IN (-1, (SELECT encoding FROM pg_database WHERE datname = current_database()))
ORDER BY requested.place LIMIT 1

-- get_search_index: Get the definition of the index by which contacts are found by any part of their texts.
SELECT pg_get_indexdef(to_regclass('contact_by_part'))

-- find_containing: List contacts whose address contains a text, by id, out of the first 1,000 that match. {grams}
-- are the indexed sequences, and {text} is what they are made of. The rows are materialized first, and the "+ 0" keeps the
-- planner from other indexes: it might read all contacts until enough match. Served by contact_by_part.
WITH matching AS MATERIALIZED (
    SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at,
           deleted_at, opt_out_date, opt_out_source, opt_out_reason
    FROM contact
    WHERE email_address IS NOT NULL AND account + 0 = (SELECT key FROM account WHERE account_id = $1)
      AND ({grams}) @> $2::text[] AND strpos({text}, $3::text) > 0
    LIMIT 1000
)
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM matching ORDER BY contact_id LIMIT $4
