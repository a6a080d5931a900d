-- get: Get a contact. Served by unique (account_id) and unique (account, contact_id).
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id) AND contact_id = :contact_id;

-- get_attributes: Get the attributes of a contact. Served by unique (account_id) and unique (account, contact_id).
SELECT facts FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id) AND contact_id = :contact_id
  AND facts IS NOT NULL;

-- find: List the contacts of an account created in a period that match the other filters, most recently created first.
-- Served by contact_by_creation.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND (created_at, contact_id) < (:after_time, :after) AND created_at >= :created_after
  AND (:opted_out_after IS NULL OR opt_out_date BETWEEN :opted_out_after AND :opted_out_before)
  AND :status_bits >> iif(deleted_at IS NULL, coalesce(permission_to_send, 6), 7) & 1
ORDER BY created_at DESC, contact_id DESC LIMIT :limit;

-- find_by_address: List the contacts with an email address, most recently created first. Reads all of them. Served by
-- contact_by_email_address.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact INDEXED BY contact_by_email_address
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND email_address = :email_address COLLATE NOCASE
  AND (created_at, contact_id) < (:after_time, :after) AND created_at >= :created_after
  AND (:updated_after IS NULL OR updated_at BETWEEN :updated_after AND :updated_before)
  AND (:opted_out_after IS NULL OR opt_out_date BETWEEN :opted_out_after AND :opted_out_before)
  AND :status_bits >> iif(deleted_at IS NULL, coalesce(permission_to_send, 6), 7) & 1
ORDER BY created_at DESC, contact_id DESC LIMIT :limit;

-- find_owner: Find the contact that has an email address: one that isn't deleted, if there is one. Served by
-- contact_by_email_address.
SELECT contact_id FROM contact INDEXED BY contact_by_email_address
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND email_address = :email_address COLLATE NOCASE AND contact_id <> :contact_id
ORDER BY deleted_at IS NOT NULL, contact_id LIMIT 1;

-- find_by_update: List the contacts last updated in a period that match the other filters. Served by contact_by_update.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND (updated_at, contact_id) > (:after_time, :after) AND updated_at <= :updated_before
  AND (:created_after IS NULL OR created_at BETWEEN :created_after AND :created_before)
  AND (:opted_out_after IS NULL OR opt_out_date BETWEEN :opted_out_after AND :opted_out_before)
  AND (:email_address IS NULL OR email_address = :email_address COLLATE NOCASE)
  AND :status_bits >> iif(deleted_at IS NULL, coalesce(permission_to_send, 6), 7) & 1
ORDER BY updated_at, contact_id LIMIT :limit;

-- find_members: List the contacts on a list or with a tag that match the filters, most recently created first. Served by
-- the primary keys.
SELECT contact.contact_id, email_address, first_name, last_name, permission_to_send, contact.created_at, updated_at,
       deleted_at, opt_out_date, opt_out_source, opt_out_reason
FROM membership CROSS JOIN contact ON contact.key = membership.contact
WHERE membership.account = (SELECT key FROM account WHERE account_id = :account_id)
  AND membership.type = :type AND membership.definition_id = :definition_id
  AND (membership.created_at, membership.contact_id) < (:after_time, :after) AND membership.created_at >= :created_after
  AND (:updated_after IS NULL OR updated_at BETWEEN :updated_after AND :updated_before)
  AND (:opted_out_after IS NULL OR opt_out_date BETWEEN :opted_out_after AND :opted_out_before)
  AND (:email_address IS NULL OR email_address = :email_address COLLATE NOCASE)
  AND :status_bits >> iif(deleted_at IS NULL, coalesce(permission_to_send, 6), 7) & 1
ORDER BY membership.created_at DESC, membership.contact_id DESC LIMIT :limit;

-- find_tagged_members: The same for contacts that have one of several tags as well. Served by the primary keys and
-- membership_by_contact.
SELECT contact.contact_id, email_address, first_name, last_name, permission_to_send, contact.created_at, updated_at,
       deleted_at, opt_out_date, opt_out_source, opt_out_reason
FROM membership CROSS JOIN contact ON contact.key = membership.contact
WHERE membership.account = (SELECT key FROM account WHERE account_id = :account_id)
  AND membership.type = :type AND membership.definition_id = :definition_id
  AND (membership.created_at, membership.contact_id) < (:after_time, :after) AND membership.created_at >= :created_after
  AND (:updated_after IS NULL OR updated_at BETWEEN :updated_after AND :updated_before)
  AND (:opted_out_after IS NULL OR opt_out_date BETWEEN :opted_out_after AND :opted_out_before)
  AND (:email_address IS NULL OR email_address = :email_address COLLATE NOCASE)
  AND :status_bits >> iif(deleted_at IS NULL, coalesce(permission_to_send, 6), 7) & 1
  AND EXISTS (SELECT 1 FROM membership AS tagging WHERE tagging.contact = membership.contact AND tagging.type = 1
              AND tagging.definition_id IN carray(:tags))
ORDER BY membership.created_at DESC, membership.contact_id DESC LIMIT :limit;

-- find_by_opt_out: List the contacts unsubscribed in a period by that time. Served by contact_by_opt_out.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND (opt_out_date, contact_id) > (:after_time, :after) AND opt_out_date <= :opted_out_before
  AND (:email_address IS NULL OR email_address = :email_address COLLATE NOCASE)
  AND :status_bits >> iif(deleted_at IS NULL, coalesce(permission_to_send, 6), 7) & 1
ORDER BY opt_out_date, contact_id LIMIT :limit;

-- count: Count the contacts that match the filters, on all pages. Reads every contact of the account.
SELECT count(*) FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND (:updated_after IS NULL OR updated_at BETWEEN :updated_after AND :updated_before)
  AND (:created_after IS NULL OR created_at BETWEEN :created_after AND :created_before)
  AND (:opted_out_after IS NULL OR opt_out_date BETWEEN :opted_out_after AND :opted_out_before)
  AND (:email_address IS NULL OR email_address = :email_address COLLATE NOCASE)
  AND :status_bits >> iif(deleted_at IS NULL, coalesce(permission_to_send, 6), 7) & 1;

-- count_by_address: Count the contacts with an email address that match the filters. Served by
-- contact_by_email_address.
SELECT count(*) FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND email_address = :email_address COLLATE NOCASE
  AND (:updated_after IS NULL OR updated_at BETWEEN :updated_after AND :updated_before)
  AND (:created_after IS NULL OR created_at BETWEEN :created_after AND :created_before)
  AND (:opted_out_after IS NULL OR opt_out_date BETWEEN :opted_out_after AND :opted_out_before)
  AND :status_bits >> iif(deleted_at IS NULL, coalesce(permission_to_send, 6), 7) & 1;

-- count_members: Count the contacts on any of several lists, or with any of several tags, that match the filters. Reads all
-- of them. Served by the primary keys.
SELECT count(DISTINCT membership.contact)
FROM carray(:definition_ids) AS requested
CROSS JOIN membership ON membership.account = (SELECT key FROM account WHERE account_id = :account_id)
      AND membership.type = :type AND membership.definition_id = requested.value
CROSS JOIN contact ON contact.key = membership.contact
WHERE (:created_after IS NULL OR contact.created_at BETWEEN :created_after AND :created_before)
  AND (:updated_after IS NULL OR updated_at BETWEEN :updated_after AND :updated_before)
  AND (:opted_out_after IS NULL OR opt_out_date BETWEEN :opted_out_after AND :opted_out_before)
  AND (:email_address IS NULL OR email_address = :email_address COLLATE NOCASE)
  AND :status_bits >> iif(deleted_at IS NULL, coalesce(permission_to_send, 6), 7) & 1;

-- count_tagged_members: The same for contacts that have one of several tags as well. Served by the same.
SELECT count(DISTINCT membership.contact)
FROM carray(:definition_ids) AS requested
CROSS JOIN membership ON membership.account = (SELECT key FROM account WHERE account_id = :account_id)
      AND membership.type = :type AND membership.definition_id = requested.value
CROSS JOIN contact ON contact.key = membership.contact
WHERE (:created_after IS NULL OR contact.created_at BETWEEN :created_after AND :created_before)
  AND (:updated_after IS NULL OR updated_at BETWEEN :updated_after AND :updated_before)
  AND (:opted_out_after IS NULL OR opt_out_date BETWEEN :opted_out_after AND :opted_out_before)
  AND (:email_address IS NULL OR email_address = :email_address COLLATE NOCASE)
  AND :status_bits >> iif(deleted_at IS NULL, coalesce(permission_to_send, 6), 7) & 1
  AND EXISTS (SELECT 1 FROM membership AS tagging WHERE tagging.contact = membership.contact AND tagging.type = 1
              AND tagging.definition_id IN carray(:tags));

-- count_by_status: Count the contacts of an account by status. Served by unique (account, contact_id), read through.
SELECT iif(deleted_at IS NULL, coalesce(permission_to_send, 6), 7) AS status, count(*)
FROM contact WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
GROUP BY status;

-- find_by_email_address_prefix: List the contacts whose email address starts with a prefix, in its order. Served by
-- contact_by_email_address.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND email_address >= :start COLLATE NOCASE AND email_address < :end COLLATE NOCASE
ORDER BY email_address COLLATE NOCASE, contact_id LIMIT :limit;

-- find_by_first_name_prefix: List the contacts whose first name starts with a prefix, in its order. Served by
-- contact_by_name.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND first_name >= :start COLLATE NOCASE AND first_name < :end COLLATE NOCASE
ORDER BY first_name COLLATE NOCASE, last_name COLLATE NOCASE, contact_id LIMIT :limit;

-- find_by_last_name_prefix: List the contacts whose last name starts with a prefix, in its order. Served by
-- contact_by_last_name.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND last_name >= :start COLLATE NOCASE AND last_name < :end COLLATE NOCASE
ORDER BY last_name COLLATE NOCASE, contact_id LIMIT :limit;

-- find_by_full_name_prefix: List the contacts with a first name whose last name starts with a prefix. Served by
-- contact_by_name.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND first_name = :first_name COLLATE NOCASE
  AND last_name >= :start COLLATE NOCASE AND last_name < :end COLLATE NOCASE
ORDER BY last_name COLLATE NOCASE, contact_id LIMIT :limit;

-- find_by_contact_id_prefix: List the contacts whose id starts with a prefix, in its order. Served by unique (account,
-- contact_id).
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND contact_id >= :start AND contact_id < :end
ORDER BY contact_id LIMIT :limit;

-- list_attributes_of: List the attributes of contacts with ids. Served by unique (account, contact_id).
SELECT contact_id, facts FROM carray(:contact_ids) AS requested
CROSS JOIN contact ON contact.account = (SELECT key FROM account WHERE account_id = :account_id)
      AND contact.contact_id = requested.value
WHERE facts IS NOT NULL;

-- list_last_times: List the times of the last activities of contacts that no source has updated. Served by unique (account,
-- contact_id) and the primary keys.
SELECT contact_id, (
    SELECT max((SELECT max(created_time) FROM tracking_activity
                WHERE contact = contact.key AND tracking_activity.type = types.value))
    FROM json_each('[0,1,2,3,4,5,6,7,8,9]') AS types
)
FROM carray(:contact_ids) AS requested
CROSS JOIN contact ON contact.account = (SELECT key FROM account WHERE account_id = :account_id)
      AND contact.contact_id = requested.value
WHERE facts IS NULL;

-- list_ids: List the ids of an account's contacts after an id. Served by unique (account, contact_id).
SELECT contact_id FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id) AND contact_id > :after
ORDER BY contact_id LIMIT :limit;

-- find_any: Find any contact of an account. Served by unique (account, contact_id).
SELECT contact.key FROM account JOIN contact ON contact.account = account.key
WHERE account.account_id = :account_id LIMIT 1;

-- list_attributes: List the attributes of contacts by id. Served by unique (account, contact_id).
SELECT contact_id, facts FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id) AND contact_id > :after
  AND facts IS NOT NULL
ORDER BY contact_id LIMIT :limit;

-- get_all_attributes: Get the keys and attributes of contacts. Served by unique (account, contact_id).
SELECT contact_id, key, email_address, first_name, last_name, facts
FROM carray(:contact_ids) AS requested
CROSS JOIN contact ON contact.account = :account AND contact.contact_id = requested.value;

-- update_attributes: Update the attributes of a contact. Served by the primary key.
UPDATE contact
SET deleted_at = ?, facts = ?
WHERE key = ?;

-- find_containing: List contacts whose address contains a text, by id, out of the first 1,000 that match. Served
-- by contact_search.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM (
    SELECT contact.* FROM contact_search CROSS JOIN contact ON contact.key = contact_search.rowid
    WHERE contact_search MATCH :match AND contact.account = (SELECT key FROM account WHERE account_id = :account_id)
    LIMIT 1000
)
ORDER BY contact_id LIMIT :limit;
