-- The OAuth 2.0 authorization server (rapport.oauth): applications, and what people granted to them. Every secret is stored
-- as a digest. Lists are separated by blanks, redirect URIs by line breaks; a consent is JSON (store/applications.py).

CREATE TABLE application (
    client_id        TEXT PRIMARY KEY,
    account_id       TEXT NOT NULL,
    name             TEXT NOT NULL,
    secret_digest    BLOB,
    redirect_uris    TEXT NOT NULL,
    scopes           TEXT NOT NULL,
    refresh_policy   TEXT NOT NULL,
    credentials_role TEXT,
    created_time     INTEGER NOT NULL,
    created_by       TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX application_by_account ON application (account_id, created_time, client_id);

-- What an application is allowed to do on behalf of a user, with its current refresh token and the one before.
CREATE TABLE application_grant (
    grant_id        TEXT PRIMARY KEY,
    client_id       TEXT NOT NULL,
    account_id      TEXT NOT NULL,
    user_name       TEXT NOT NULL,
    consent         TEXT NOT NULL,
    digest          BLOB,
    previous_digest BLOB,
    rotated_time    INTEGER,
    created_time    INTEGER NOT NULL,
    expires         INTEGER NOT NULL,
    revoked_time    INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX application_grant_by_account ON application_grant (account_id, created_time, grant_id);
CREATE INDEX application_grant_by_client ON application_grant (client_id);
CREATE INDEX application_grant_by_end ON application_grant (expires);

-- grant_id is set when the code is redeemed.
CREATE TABLE authorization_code (
    digest         BLOB PRIMARY KEY,
    client_id      TEXT NOT NULL,
    account_id     TEXT NOT NULL,
    consent        TEXT NOT NULL,
    redirect_uri   TEXT NOT NULL,
    code_challenge TEXT,
    expires        INTEGER NOT NULL,
    grant_id       TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX authorization_code_by_end ON authorization_code (expires);
CREATE INDEX authorization_code_by_client ON authorization_code (client_id);

-- decision is 'pending', 'approved' or 'denied'; an approved one has a consent.
CREATE TABLE device_authorization (
    digest           BLOB PRIMARY KEY,
    user_code_digest BLOB NOT NULL UNIQUE,
    client_id        TEXT NOT NULL,
    account_id       TEXT NOT NULL,
    scopes           TEXT NOT NULL,
    expires          INTEGER NOT NULL,
    interval         INTEGER NOT NULL,
    polled_time      INTEGER,
    decision         TEXT NOT NULL DEFAULT 'pending',
    consent          TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX device_authorization_by_end ON device_authorization (expires);
CREATE INDEX device_authorization_by_client ON device_authorization (client_id);
