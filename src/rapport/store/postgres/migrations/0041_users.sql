-- Users (rapport.people). Passwords are argon2id hashes, one-time links are digests, and the secrets of authenticator apps are
-- encrypted with a key that is kept outside the database. email_key is the address as it is compared: without case.

CREATE TABLE account_user (
    user_id          text NOT NULL PRIMARY KEY,
    account_id       text NOT NULL,
    email_address    text NOT NULL,
    email_key        text NOT NULL,
    role             text NOT NULL,
    password_hash    text,
    totp_secret      bytea,
    totp_step        bigint NOT NULL DEFAULT 0,
    identity_issuer  text,
    identity_subject text,
    link_digest      bytea UNIQUE,
    link_expires     timestamptz,
    generation       bigint NOT NULL DEFAULT 0,
    created_time     timestamptz NOT NULL,
    created_by       text NOT NULL,
    joined_time      timestamptz,
    signed_in_time   timestamptz,
    UNIQUE (account_id, email_key)
);

CREATE INDEX account_user_by_email ON account_user (email_key, created_time, user_id);
CREATE INDEX account_user_by_identity ON account_user (identity_subject, identity_issuer);

-- How often someone tried to sign in, by a digest of the email address or the user.
CREATE TABLE sign_in_attempt (
    key      bytea NOT NULL PRIMARY KEY,
    attempts bigint NOT NULL,
    expires  timestamptz NOT NULL
);

CREATE INDEX sign_in_attempt_by_end ON sign_in_attempt (expires);
