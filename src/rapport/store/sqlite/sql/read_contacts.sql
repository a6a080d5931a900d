-- contact: what is known of a contact now. Served by unique (account_id) and unique (account, contact_id).
SELECT contact_id, email_address, first_name, last_name
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id) AND contact_id = :contact_id;

-- contacts: those of an account, by their ids. Served by unique (account, contact_id).
SELECT contact_id, email_address, first_name, last_name
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id) AND contact_id > :behind
ORDER BY contact_id LIMIT :limit;

-- contacts_of_address: those that have an email address. Served by contact_by_email_address.
SELECT contact_id, email_address, first_name, last_name
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND email_address = :email_address COLLATE NOCASE AND contact_id > :behind
ORDER BY contact_id LIMIT :limit;

-- count: how many contacts an account has. Served by unique (account, contact_id).
SELECT count(*) FROM contact WHERE account = (SELECT key FROM account WHERE account_id = :account_id);

-- count_of_address: how many of them have an email address. Served by contact_by_email_address.
SELECT count(*) FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND email_address = :email_address COLLATE NOCASE;
