-- add_user: Add a user, unless the account has one with this email address.
INSERT INTO account_user (
    user_id, account_id, email_address, email_key, role, password_hash, totp_secret, totp_step, recovery_codes,
    identity_issuer, identity_subject, link_digest, link_expires, generation, created_time, created_by, joined_time,
    signed_in_time
)
VALUES (
    :user_id, :account_id, :email_address, :email_key, :role, :password_hash, :totp_secret, :totp_step, :recovery_codes,
    :identity_issuer, :identity_subject, :link_digest, :link_expires, :generation, :created_time, :created_by,
    :joined_time, :signed_in_time
)
ON CONFLICT DO NOTHING
RETURNING user_id

-- delete_by_email: Delete the user of an account with an email address. Served by unique (account_id, email_key).
DELETE FROM account_user WHERE account_id = :account_id AND email_key = :email_key

-- find_user: Find a user of an account. Served by the primary key.
SELECT user_id, account_id, email_address, email_key, role, password_hash, totp_secret, totp_step, recovery_codes,
       identity_issuer, identity_subject, link_digest, link_expires, generation, created_time, created_by, joined_time,
    signed_in_time
FROM account_user WHERE user_id = :user_id AND account_id = :account_id

-- find_by_email: Find the user of an account with an email address. Served by unique (account_id, email_key).
SELECT user_id, account_id, email_address, email_key, role, password_hash, totp_secret, totp_step, recovery_codes,
       identity_issuer, identity_subject, link_digest, link_expires, generation, created_time, created_by, joined_time,
    signed_in_time
FROM account_user WHERE account_id = :account_id AND email_key = :email_key

-- list_by_email: List users of all accounts with an email address, oldest first. Served by account_user_by_email.
SELECT user_id, account_id, email_address, email_key, role, password_hash, totp_secret, totp_step, recovery_codes,
       identity_issuer, identity_subject, link_digest, link_expires, generation, created_time, created_by, joined_time,
    signed_in_time
FROM account_user WHERE email_key = :email_key ORDER BY created_time, user_id LIMIT :max_users

-- list_by_identity: List the users who sign in with an identity at a provider. Served by account_user_by_identity.
SELECT user_id, account_id, email_address, email_key, role, password_hash, totp_secret, totp_step, recovery_codes,
       identity_issuer, identity_subject, link_digest, link_expires, generation, created_time, created_by, joined_time,
    signed_in_time
FROM account_user WHERE identity_subject = :identity_subject AND identity_issuer = :identity_issuer LIMIT :max_users

-- find_by_link: Find the user with a one-time link. Served by unique (link_digest).
SELECT user_id, account_id, email_address, email_key, role, password_hash, totp_secret, totp_step, recovery_codes,
       identity_issuer, identity_subject, link_digest, link_expires, generation, created_time, created_by, joined_time,
    signed_in_time
FROM account_user WHERE link_digest = :link_digest AND link_expires > :now

-- list_users: List the users of an account by email address. Served by unique (account_id, email_key).
SELECT user_id, account_id, email_address, email_key, role, password_hash, totp_secret, totp_step, recovery_codes,
       identity_issuer, identity_subject, link_digest, link_expires, generation, created_time, created_by, joined_time,
    signed_in_time
FROM account_user WHERE account_id = :account_id ORDER BY email_key

-- set_link: Give a user another one-time link, which replaces the one before. Served by the primary key.
UPDATE account_user SET link_digest = :link_digest, link_expires = :link_expires
WHERE user_id = :user_id AND account_id = :account_id
RETURNING user_id

-- redeem_link: Redeem a one-time link, once, and set a password. Served by unique (link_digest).
UPDATE account_user SET
    password_hash = :password_hash, link_digest = NULL, link_expires = NULL, generation = generation + 1,
    joined_time = COALESCE(joined_time, :now)
WHERE link_digest = :link_digest AND link_expires > :now
RETURNING user_id

-- set_password: Set a password, unless it or the role has been changed meanwhile. Served by the primary key.
UPDATE account_user SET
    password_hash = :password_hash, link_digest = NULL, link_expires = NULL, generation = generation + 1
WHERE user_id = :user_id AND account_id = :account_id AND generation = :generation
RETURNING user_id

-- replace_hash: Replace the hash of a password by another one of the same password. Served by the primary key.
UPDATE account_user SET password_hash = :new_hash
WHERE user_id = :user_id AND account_id = :account_id AND password_hash = :old_hash

-- list_owners: List the owners of an account, before one of them is changed. Served by unique (account_id, email_key).
SELECT user_id FROM account_user WHERE account_id = :account_id AND role = 'owner'

-- start_generation: Begin another generation, after the one before was ended. Served by the primary key.
UPDATE account_user SET generation = generation + 1
WHERE user_id = :user_id AND account_id = :account_id AND generation = :generation

-- set_role: Change a user's role, unless it is the last owner who has joined. Served by the primary key.
UPDATE account_user SET role = :role, generation = generation + 1
WHERE user_id = :user_id AND account_id = :account_id AND (
    role <> 'owner' OR :role = 'owner' OR joined_time IS NULL OR EXISTS (
        SELECT 1 FROM account_user other
        WHERE other.account_id = :account_id AND other.role = 'owner' AND other.joined_time IS NOT NULL
          AND other.user_id <> :user_id
    )
)
RETURNING user_id

-- remove_user: Delete a user, unless it is the last owner who has joined. Served by the primary key.
DELETE FROM account_user
WHERE user_id = :user_id AND account_id = :account_id AND (
    role <> 'owner' OR joined_time IS NULL OR EXISTS (
        SELECT 1 FROM account_user other
        WHERE other.account_id = :account_id AND other.role = 'owner' AND other.joined_time IS NOT NULL
          AND other.user_id <> :user_id
    )
)
RETURNING user_id

-- set_signed_in: Set when a user last signed in. Served by the primary key.
UPDATE account_user SET signed_in_time = :now WHERE user_id = :user_id AND account_id = :account_id

-- set_totp: Set or remove the secret of a user's authenticator app and the recovery codes. Served by the primary key.
UPDATE account_user SET totp_secret = :totp_secret, totp_step = :totp_step, recovery_codes = :recovery_codes
WHERE user_id = :user_id AND account_id = :account_id
RETURNING user_id

-- use_totp_step: Use up the code of a time step and all before. Served by the primary key.
UPDATE account_user SET totp_step = :totp_step
WHERE user_id = :user_id AND account_id = :account_id AND totp_step < :totp_step
RETURNING user_id

-- replace_recovery_codes: Replace the recovery codes of a user, unless they were changed. Served by the primary key.
UPDATE account_user SET recovery_codes = :recovery_codes
WHERE user_id = :user_id AND account_id = :account_id AND totp_secret IS NOT NULL
  AND COALESCE(recovery_codes, :none) = COALESCE(:old_recovery_codes, :none)
RETURNING user_id

-- set_identity: Remember a user's identity at a provider. Served by the primary key.
UPDATE account_user SET
    identity_issuer = :identity_issuer, identity_subject = :identity_subject, link_digest = NULL, link_expires = NULL,
    joined_time = COALESCE(joined_time, :now)
WHERE user_id = :user_id AND account_id = :account_id AND identity_subject IS NULL
RETURNING user_id

-- delete_users: Delete the users of an account. Served by unique (account_id, email_key).
DELETE FROM account_user WHERE account_id = :account_id

-- delete_expired_attempts: Forget attempts to sign in. Served by sign_in_attempt_by_end.
DELETE FROM sign_in_attempt WHERE expires <= :now

-- count_attempt: Count an attempt to sign in. Served by the primary key.
INSERT INTO sign_in_attempt (key, attempts, expires) VALUES (:key, 1, :expires)
ON CONFLICT (key) DO UPDATE SET attempts = sign_in_attempt.attempts + 1
RETURNING attempts, expires

-- reset_attempts: Delete the counted attempts with a key. Served by the primary key.
DELETE FROM sign_in_attempt WHERE key = :key

-- add_session: Add a session, or replace the one with its id.
INSERT INTO user_session (session_id, account_id, user_id, user_name, role, method, client, token_ids, started_time, expires)
VALUES (:session_id, :account_id, :user_id, :user_name, :role, :method, :client, :token_ids, :started_time, :expires)
ON CONFLICT (session_id) DO NOTHING

-- delete_expired_sessions: Delete the sessions that have expired. Served by user_session_by_end.
DELETE FROM user_session WHERE expires <= :now

-- list_sessions: List the sessions of an account, newest first. Served by user_session_by_account.
SELECT session_id, account_id, user_id, user_name, role, method, client, token_ids, started_time, expires
FROM user_session WHERE account_id = :account_id AND expires > :now
ORDER BY started_time DESC, session_id DESC LIMIT :max_sessions

-- find_session: Find a session of an account. Served by the primary key.
SELECT session_id, account_id, user_id, user_name, role, method, client, token_ids, started_time, expires
FROM user_session WHERE session_id = :session_id AND account_id = :account_id

-- delete_session: Delete a session of an account. Served by the primary key.
DELETE FROM user_session WHERE session_id = :session_id AND account_id = :account_id

-- delete_user_sessions: Delete the sessions of a user. Served by user_session_by_user.
DELETE FROM user_session WHERE user_id = :user_id AND account_id = :account_id

-- delete_account_sessions: Delete the sessions of an account. Served by user_session_by_account.
DELETE FROM user_session WHERE account_id = :account_id
