-- get: Get a contact. Served by the primary key.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE key = :contact

-- get_attributes: Get the attributes of a contact. Served by the primary key.
SELECT facts::text FROM contact WHERE key = :contact AND facts IS NOT NULL

-- find: List the contacts of an account by id. Served by contact_by_account.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id) AND contact_id > :after
  AND :status_bits::integer >> CASE WHEN deleted_at IS NULL THEN coalesce(permission_to_send, 6) ELSE 7 END & 1 = 1
ORDER BY contact_id LIMIT :limit

-- find_by_address: List the contacts with an email address by id. Served by contact_by_email_address.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND lower(email_address COLLATE "C") = lower(:email_address::text COLLATE "C") AND contact_id > :after
  AND :status_bits::integer >> CASE WHEN deleted_at IS NULL THEN coalesce(permission_to_send, 6) ELSE 7 END & 1 = 1
ORDER BY contact_id LIMIT :limit

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

-- find_by_creation: List the contacts created in a period that match the other filters. Served by contact_by_creation.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND created_at BETWEEN :created_after AND :created_before AND (created_at, contact_id) > (:after_time::timestamptz, :after)
  AND (:opted_out_after::timestamptz IS NULL OR opt_out_date BETWEEN :opted_out_after AND :opted_out_before::timestamptz)
  AND (:email_address::text IS NULL OR lower(email_address COLLATE "C") = lower(:email_address::text COLLATE "C"))
  AND :status_bits::integer >> CASE WHEN deleted_at IS NULL THEN coalesce(permission_to_send, 6) ELSE 7 END & 1 = 1
ORDER BY created_at, contact_id LIMIT :limit

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
    created_at = excluded.created_at,
    updated_at = excluded.updated_at,
    deleted_at = excluded.deleted_at,
    facts      = excluded.facts
RETURNING key, email_address, first_name, last_name
