-- list_ids: List the ids of all accounts.
SELECT account_id FROM account ORDER BY account_id;

-- get_key: Get the key of an account. Served by unique (account_id).
SELECT key FROM account WHERE account_id = :account_id;

-- add: Create an account, unless it exists.
INSERT INTO account (account_id, created_time) VALUES (:account_id, :created_time)
ON CONFLICT DO NOTHING RETURNING key;
