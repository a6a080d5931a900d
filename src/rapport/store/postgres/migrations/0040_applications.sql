-- The OAuth 2.0 authorization server (rapport.oauth): applications, and what people granted to them. Every secret is stored
-- as a digest. Lists are separated by blanks, redirect URIs by line breaks; a consent is JSON (store/applications.py).

CREATE TABLE application (
    client_id        text NOT NULL PRIMARY KEY,
    account_id       text NOT NULL,
    name             text NOT NULL,
    secret_digest    bytea,
    redirect_uris    text NOT NULL,
    scopes           text NOT NULL,
    refresh_policy   text NOT NULL,
    credentials_role text,
    created_time     timestamptz NOT NULL,
    created_by       text NOT NULL
);

CREATE INDEX application_by_account ON application (account_id, created_time, client_id);

-- What an application is allowed to do on behalf of a user, with its current refresh token and the one before.
CREATE TABLE application_grant (
    grant_id        text NOT NULL PRIMARY KEY,
    client_id       text NOT NULL,
    account_id      text NOT NULL,
    user_name       text NOT NULL,
    consent         text NOT NULL,
    digest          bytea,
    previous_digest bytea,
    rotated_time    timestamptz,
    created_time    timestamptz NOT NULL,
    expires         timestamptz NOT NULL,
    revoked_time    timestamptz
);

CREATE INDEX application_grant_by_account ON application_grant (account_id, created_time, grant_id);
CREATE INDEX application_grant_by_client ON application_grant (client_id);
CREATE INDEX application_grant_by_end ON application_grant (expires);

-- grant_id is set when the code is redeemed.
CREATE TABLE authorization_code (
    digest         bytea NOT NULL PRIMARY KEY,
    client_id      text NOT NULL,
    account_id     text NOT NULL,
    consent        text NOT NULL,
    redirect_uri   text NOT NULL,
    code_challenge text,
    expires        timestamptz NOT NULL,
    grant_id       text
);

CREATE INDEX authorization_code_by_end ON authorization_code (expires);
CREATE INDEX authorization_code_by_client ON authorization_code (client_id);

-- decision is 'pending', 'approved' or 'denied'; an approved one has a consent.
CREATE TABLE device_authorization (
    digest           bytea NOT NULL PRIMARY KEY,
    user_code_digest bytea NOT NULL UNIQUE,
    client_id        text NOT NULL,
    account_id       text NOT NULL,
    scopes           text NOT NULL,
    expires          timestamptz NOT NULL,
    "interval"       bigint NOT NULL,
    polled_time      timestamptz,
    decision         text NOT NULL DEFAULT 'pending',
    consent          text
);

CREATE INDEX device_authorization_by_end ON device_authorization (expires);
CREATE INDEX device_authorization_by_client ON device_authorization (client_id);
