-- contact: what is known of a contact now. Served by the primary key.
SELECT contact_id, email_address, first_name, last_name FROM contact WHERE key = $1

-- contacts: those of an account, by their ids. Served by contact_by_account.
SELECT contact_id, email_address, first_name, last_name
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = $1) AND contact_id > $2
ORDER BY contact_id LIMIT $3

-- contacts_of_address: those that have an email address. Served by contact_by_email_address.
SELECT contact_id, email_address, first_name, last_name
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = $1)
  AND lower(email_address COLLATE "C") = lower($4::text COLLATE "C") AND contact_id > $2
ORDER BY contact_id LIMIT $3

-- count: how many contacts an account has. Served by contact_by_account.
SELECT count(*) FROM contact WHERE account = (SELECT key FROM account WHERE account_id = $1)

-- count_of_address: how many of them have an email address. Served by contact_by_email_address.
SELECT count(*) FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = $1)
  AND lower(email_address COLLATE "C") = lower($2::text COLLATE "C")
