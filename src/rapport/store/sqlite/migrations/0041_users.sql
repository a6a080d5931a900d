-- Users (rapport.people). Passwords are argon2id hashes, one-time links are digests, and the secrets of authenticator apps are
-- encrypted with a key that is kept outside the database. email_key is the address as it is compared: without case.

CREATE TABLE account_user (
    user_id          TEXT PRIMARY KEY,
    account_id       TEXT NOT NULL,
    email_address    TEXT NOT NULL,
    email_key        TEXT NOT NULL,
    role             TEXT NOT NULL,
    password_hash    TEXT,
    totp_secret      BLOB,
    totp_step        INTEGER NOT NULL DEFAULT 0,
    identity_issuer  TEXT,
    identity_subject TEXT,
    link_digest      BLOB UNIQUE,
    link_expires     INTEGER,
    generation       INTEGER NOT NULL DEFAULT 0,
    created_time     INTEGER NOT NULL,
    created_by       TEXT NOT NULL,
    joined_time      INTEGER,
    signed_in_time   INTEGER,
    UNIQUE (account_id, email_key)
) STRICT, WITHOUT ROWID;

CREATE INDEX account_user_by_email ON account_user (email_key, created_time, user_id);
CREATE INDEX account_user_by_identity ON account_user (identity_subject, identity_issuer);

-- How often someone tried to sign in, by a digest of the email address or the user.
CREATE TABLE sign_in_attempt (
    key      BLOB PRIMARY KEY,
    attempts INTEGER NOT NULL,
    expires  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sign_in_attempt_by_end ON sign_in_attempt (expires);
