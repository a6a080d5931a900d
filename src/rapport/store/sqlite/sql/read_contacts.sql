-- contact: what is known of a contact now. Served by unique (account_id) and unique (account, contact_id).
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id) AND contact_id = :contact_id;

-- stated: what is stated of a contact. Served by unique (account_id) and unique (account, contact_id).
SELECT facts FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id) AND contact_id = :contact_id
  AND facts IS NOT NULL;

-- contacts: those of an account, by their ids. Served by unique (account, contact_id).
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id) AND contact_id > :after
  AND :status_bits >> iif(deleted_at IS NULL, coalesce(permission_to_send, 6), 7) & 1
ORDER BY contact_id LIMIT :limit;

-- contacts_of_address: those that have an email address, by their ids. Served by contact_by_email_address.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND email_address = :email_address COLLATE NOCASE AND contact_id > :after
  AND :status_bits >> iif(deleted_at IS NULL, coalesce(permission_to_send, 6), 7) & 1
ORDER BY contact_id LIMIT :limit;

-- contacts_by_update: those that were last stated within some time, and what else is asked. Served by contact_by_update.
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

-- contacts_by_creation: those that came to be within some time, and what else is asked. Served by contact_by_creation.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND (created_at, contact_id) > (:after_time, :after) AND created_at <= :created_before
  AND (:opted_out_after IS NULL OR opt_out_date BETWEEN :opted_out_after AND :opted_out_before)
  AND (:email_address IS NULL OR email_address = :email_address COLLATE NOCASE)
  AND :status_bits >> iif(deleted_at IS NULL, coalesce(permission_to_send, 6), 7) & 1
ORDER BY created_at, contact_id LIMIT :limit;

-- contacts_by_opt_out: those that were unsubscribed within some time, by that time. Served by contact_by_opt_out.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND (opt_out_date, contact_id) > (:after_time, :after) AND opt_out_date <= :opted_out_before
  AND (:email_address IS NULL OR email_address = :email_address COLLATE NOCASE)
  AND :status_bits >> iif(deleted_at IS NULL, coalesce(permission_to_send, 6), 7) & 1
ORDER BY opt_out_date, contact_id LIMIT :limit;

-- count: how many contacts are asked for, on all pages. Every contact of the account, or of the address, is looked at.
SELECT count(*) FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND (:updated_after IS NULL OR updated_at BETWEEN :updated_after AND :updated_before)
  AND (:created_after IS NULL OR created_at BETWEEN :created_after AND :created_before)
  AND (:opted_out_after IS NULL OR opt_out_date BETWEEN :opted_out_after AND :opted_out_before)
  AND (:email_address IS NULL OR email_address = :email_address COLLATE NOCASE)
  AND :status_bits >> iif(deleted_at IS NULL, coalesce(permission_to_send, 6), 7) & 1;

-- count_of_address: the same of those that have an email address. Served by contact_by_email_address.
SELECT count(*) FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND email_address = :email_address COLLATE NOCASE
  AND (:updated_after IS NULL OR updated_at BETWEEN :updated_after AND :updated_before)
  AND (:created_after IS NULL OR created_at BETWEEN :created_after AND :created_before)
  AND (:opted_out_after IS NULL OR opt_out_date BETWEEN :opted_out_after AND :opted_out_before)
  AND :status_bits >> iif(deleted_at IS NULL, coalesce(permission_to_send, 6), 7) & 1;

-- count_by_status: how many contacts of an account stand how. Served by unique (account, contact_id), read through.
SELECT iif(deleted_at IS NULL, coalesce(permission_to_send, 6), 7) AS status, count(*)
FROM contact WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
GROUP BY status;
