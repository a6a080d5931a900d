-- Webhooks and other sources of captured events, and what has come of them.

-- A hook's signing keys are among the secrets. settings and secret_hashes are JSON.
CREATE TABLE hook (
    hook_id       text    NOT NULL PRIMARY KEY,
    account       bigint NOT NULL,
    provider      text    NOT NULL,
    name          text    NOT NULL,
    settings      text    NOT NULL,
    secret_hashes text    NOT NULL,
    created_time  timestamptz NOT NULL
);

CREATE INDEX hook_by_account ON hook (account, created_time, hook_id);

-- The latest requests of each hook. outcome: recorded, refused or failed.
CREATE TABLE hook_delivery (
    hook_id       text    NOT NULL,
    received_time timestamptz NOT NULL,
    digest        text    NOT NULL,
    outcome       text    NOT NULL,
    events        bigint NOT NULL,
    unmatched     bigint NOT NULL,
    detail        text    NOT NULL,
    PRIMARY KEY (hook_id, received_time, digest)
);

-- How many events each hook had in each hour, counted from 1970.
CREATE TABLE hook_hour (
    hook_id text    NOT NULL,
    hour    bigint NOT NULL,
    events  bigint NOT NULL,
    PRIMARY KEY (hook_id, hour)
);

-- Messages that were sent, by a digest of their ids. delivered_time is when the receiving server accepted it.
CREATE TABLE captured_message (
    account              bigint NOT NULL,
    message              text    NOT NULL,
    contact_id           text    NOT NULL,
    campaign_activity_id text    NOT NULL,
    seen_time            timestamptz NOT NULL,
    delivered_time       timestamptz,
    PRIMARY KEY (account, message)
);

CREATE INDEX captured_message_by_contact ON captured_message (account, contact_id);
CREATE INDEX captured_message_by_time ON captured_message (seen_time);

-- What couldn't be read or matched. item is JSON, as the provider sent it.
CREATE TABLE unmatched_item (
    number        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account       bigint NOT NULL,
    hook_id       text    NOT NULL,
    digest        text    NOT NULL,
    received_time timestamptz NOT NULL,
    reason        text    NOT NULL,
    detail        text    NOT NULL,
    recipient     text    NOT NULL,
    item          text    NOT NULL,
    UNIQUE (hook_id, digest)
);

CREATE INDEX unmatched_item_by_account ON unmatched_item (account, number);
CREATE INDEX unmatched_item_by_recipient ON unmatched_item (account, lower(recipient COLLATE "C"));

-- One-time tokens, by digests of the tokens and of the requests that came with them.
CREATE TABLE used_token (
    hook_id   text    NOT NULL,
    token     text    NOT NULL,
    request   text    NOT NULL,
    used_time timestamptz NOT NULL,
    PRIMARY KEY (hook_id, token)
);

CREATE INDEX used_token_by_time ON used_token (used_time);
