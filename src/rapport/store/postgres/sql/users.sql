-- list_owners: Lock the owners of an account, before one of them is changed. Served by unique (account_id, email_key).
SELECT user_id FROM account_user WHERE account_id = :account_id AND role = 'owner' ORDER BY user_id FOR UPDATE
