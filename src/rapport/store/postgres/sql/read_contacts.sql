-- contact: what is known of a contact now. Served by the primary key.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE key = $1

-- stated: what is stated of a contact. Served by the primary key.
SELECT facts::text FROM contact WHERE key = $1 AND facts IS NOT NULL

-- contacts: those of an account, by their ids. Served by contact_by_account.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = $1) AND contact_id > $3
  AND $4::integer >> CASE WHEN deleted_at IS NULL THEN coalesce(permission_to_send, 6) ELSE 7 END & 1 = 1
ORDER BY contact_id LIMIT $2

-- contacts_of_address: those that have an email address. Served by contact_by_email_address.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = $1)
  AND lower(email_address COLLATE "C") = lower($5::text COLLATE "C") AND contact_id > $3
  AND $4::integer >> CASE WHEN deleted_at IS NULL THEN coalesce(permission_to_send, 6) ELSE 7 END & 1 = 1
ORDER BY contact_id LIMIT $2

-- contacts_by_update: those that were last stated within some time, and what else is asked. Served by contact_by_update.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = $1)
  AND updated_at BETWEEN $6 AND $7 AND (updated_at, contact_id) > ($8::timestamptz, $3)
  AND ($9::timestamptz IS NULL OR created_at BETWEEN $9 AND $10::timestamptz)
  AND ($11::timestamptz IS NULL OR opt_out_date BETWEEN $11 AND $12::timestamptz)
  AND ($5::text IS NULL OR lower(email_address COLLATE "C") = lower($5::text COLLATE "C"))
  AND $4::integer >> CASE WHEN deleted_at IS NULL THEN coalesce(permission_to_send, 6) ELSE 7 END & 1 = 1
ORDER BY updated_at, contact_id LIMIT $2

-- contacts_by_creation: those that came to be within some time, and what else is asked. Served by contact_by_creation.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = $1)
  AND created_at BETWEEN $6 AND $7 AND (created_at, contact_id) > ($8::timestamptz, $3)
  AND ($9::timestamptz IS NULL OR opt_out_date BETWEEN $9 AND $10::timestamptz)
  AND ($5::text IS NULL OR lower(email_address COLLATE "C") = lower($5::text COLLATE "C"))
  AND $4::integer >> CASE WHEN deleted_at IS NULL THEN coalesce(permission_to_send, 6) ELSE 7 END & 1 = 1
ORDER BY created_at, contact_id LIMIT $2

-- contacts_by_opt_out: those that were unsubscribed within some time, by that time. Served by contact_by_opt_out.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = $1)
  AND opt_out_date BETWEEN $6 AND $7 AND (opt_out_date, contact_id) > ($8::timestamptz, $3)
  AND ($5::text IS NULL OR lower(email_address COLLATE "C") = lower($5::text COLLATE "C"))
  AND $4::integer >> CASE WHEN deleted_at IS NULL THEN coalesce(permission_to_send, 6) ELSE 7 END & 1 = 1
ORDER BY opt_out_date, contact_id LIMIT $2

-- count: how many contacts are asked for, on all pages. Every contact of the account is looked at.
SELECT count(*) FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = $1)
  AND ($4::timestamptz IS NULL OR updated_at BETWEEN $4 AND $5::timestamptz)
  AND ($6::timestamptz IS NULL OR created_at BETWEEN $6 AND $7::timestamptz)
  AND ($8::timestamptz IS NULL OR opt_out_date BETWEEN $8 AND $9::timestamptz)
  AND ($2::text IS NULL OR lower(email_address COLLATE "C") = lower($2::text COLLATE "C"))
  AND $3::integer >> CASE WHEN deleted_at IS NULL THEN coalesce(permission_to_send, 6) ELSE 7 END & 1 = 1

-- count_of_address: the same of those that have an email address. Served by contact_by_email_address.
SELECT count(*) FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = $1)
  AND lower(email_address COLLATE "C") = lower($2::text COLLATE "C")
  AND ($4::timestamptz IS NULL OR updated_at BETWEEN $4 AND $5::timestamptz)
  AND ($6::timestamptz IS NULL OR created_at BETWEEN $6 AND $7::timestamptz)
  AND ($8::timestamptz IS NULL OR opt_out_date BETWEEN $8 AND $9::timestamptz)
  AND $3::integer >> CASE WHEN deleted_at IS NULL THEN coalesce(permission_to_send, 6) ELSE 7 END & 1 = 1

-- count_by_status: how many contacts of an account stand how. Served by contact_by_account, read through.
SELECT CASE WHEN deleted_at IS NULL THEN coalesce(permission_to_send, 6) ELSE 7 END AS status, count(*)
FROM contact WHERE account = (SELECT key FROM account WHERE account_id = $1)
GROUP BY status
