-- Webhooks and other sources of captured events, and what has come of them.

-- A hook's signing keys are among the secrets. settings and secret_hashes are JSON.
CREATE TABLE hook (
    hook_id       TEXT    NOT NULL PRIMARY KEY,
    account       INTEGER NOT NULL REFERENCES account,
    provider      TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    settings      TEXT    NOT NULL,
    secret_hashes TEXT    NOT NULL,
    created_time  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX hook_by_account ON hook (account, created_time, hook_id);

-- The latest requests of each hook. outcome: recorded, refused or failed.
CREATE TABLE hook_delivery (
    hook_id       TEXT    NOT NULL,
    received_time INTEGER NOT NULL,
    digest        TEXT    NOT NULL,
    outcome       TEXT    NOT NULL,
    events        INTEGER NOT NULL,
    unmatched     INTEGER NOT NULL,
    detail        TEXT    NOT NULL,
    PRIMARY KEY (hook_id, received_time, digest)
) STRICT, WITHOUT ROWID;

-- How many events each hook had in each hour, counted from 1970.
CREATE TABLE hook_hour (
    hook_id TEXT    NOT NULL,
    hour    INTEGER NOT NULL,
    events  INTEGER NOT NULL,
    PRIMARY KEY (hook_id, hour)
) STRICT, WITHOUT ROWID;

-- Messages that were sent, by a digest of their ids. delivered_time is when the receiving server accepted it.
CREATE TABLE captured_message (
    account              INTEGER NOT NULL REFERENCES account,
    message              TEXT    NOT NULL,
    contact_id           TEXT    NOT NULL,
    campaign_activity_id TEXT    NOT NULL,
    seen_time            INTEGER NOT NULL,
    delivered_time       INTEGER,
    PRIMARY KEY (account, message)
) STRICT, WITHOUT ROWID;

CREATE INDEX captured_message_by_contact ON captured_message (account, contact_id);
CREATE INDEX captured_message_by_time ON captured_message (seen_time);

-- What couldn't be read or matched. item is JSON, as the provider sent it.
CREATE TABLE unmatched_item (
    number        INTEGER PRIMARY KEY,
    account       INTEGER NOT NULL REFERENCES account,
    hook_id       TEXT    NOT NULL,
    digest        TEXT    NOT NULL,
    received_time INTEGER NOT NULL,
    reason        TEXT    NOT NULL,
    detail        TEXT    NOT NULL,
    recipient     TEXT    NOT NULL,
    item          TEXT    NOT NULL,
    UNIQUE (hook_id, digest)
) STRICT;

CREATE INDEX unmatched_item_by_account ON unmatched_item (account, number);
CREATE INDEX unmatched_item_by_recipient ON unmatched_item (account, recipient COLLATE NOCASE);

-- One-time tokens, by digests of the tokens and of the requests that came with them.
CREATE TABLE used_token (
    hook_id   TEXT    NOT NULL,
    token     TEXT    NOT NULL,
    request   TEXT    NOT NULL,
    used_time INTEGER NOT NULL,
    PRIMARY KEY (hook_id, token)
) STRICT, WITHOUT ROWID;

CREATE INDEX used_token_by_time ON used_token (used_time);
