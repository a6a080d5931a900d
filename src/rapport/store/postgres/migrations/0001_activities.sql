-- What contacts did with campaign activities.
--
-- The key of a contact is a digest of its account and its id, so that recording needs no look-up and a cluster can
-- tell from it where the contact lies. The numbers of type, device_type and bounce_code are those of the enums in
-- rapport/activity.py; the views activity_type, device_type and bounce_code tell their names.

CREATE TABLE account (
    key          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id   text        NOT NULL UNIQUE,
    created_time timestamptz NOT NULL
);

-- What is known of the contact now. What each activity said of it at the time is in person.
CREATE TABLE contact (
    key           bytea  NOT NULL PRIMARY KEY,
    account       bigint NOT NULL REFERENCES account,
    contact_id    text COLLATE "C" NOT NULL,
    email_address text,
    first_name    text,
    last_name     text
);

CREATE INDEX contact_by_account ON contact (account, contact_id);

-- The key is a digest of what is said.
CREATE TABLE person (
    contact       bytea  NOT NULL,
    key           bigint NOT NULL,
    email_address text,
    first_name    text,
    last_name     text,
    PRIMARY KEY (contact, key)
);

CREATE TABLE campaign (
    key         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account     bigint NOT NULL REFERENCES account,
    campaign_id text   NOT NULL,
    UNIQUE (account, campaign_id)
);

-- name_time and campaign_time: the time of the activity that stated the name and the campaign, to within an hour.
CREATE TABLE campaign_activity (
    key                    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account                bigint NOT NULL REFERENCES account,
    campaign_activity_id   text   NOT NULL,
    campaign_activity_name text,
    name_time              timestamptz,
    campaign               bigint REFERENCES campaign,
    campaign_time          timestamptz,
    UNIQUE (account, campaign_activity_id)
);

-- The digest is one of the link's address and id, which are too long for an index.
CREATE TABLE link (
    key               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    campaign_activity bigint NOT NULL REFERENCES campaign_activity,
    digest            bytea  NOT NULL,
    link_url          text,
    url_id            text,
    UNIQUE (campaign_activity, digest)
);

-- One row an activity. What it refers to is there before it comes and never goes, so it needs no foreign keys: they
-- would double the cost of recording. The widest columns stand first, so that nothing is lost to alignment.
CREATE TABLE tracking_activity (
    created_time      timestamptz NOT NULL,
    identity          bigint      NOT NULL,
    campaign_activity bigint      NOT NULL,
    person            bigint,
    link              bigint,
    type              smallint    NOT NULL,
    device_type       smallint,
    bounce_code       smallint,
    contact           bytea       NOT NULL,
    opt_out_reason    text,
    event_id          text,
    PRIMARY KEY (contact, type, created_time, identity) INCLUDE (campaign_activity)
);

-- An event id names one activity of its contact, whatever time its source gives on the next delivery.
CREATE UNIQUE INDEX tracking_activity_by_event ON tracking_activity (contact, identity) WHERE event_id IS NOT NULL;

-- Grows when what is remembered of a table outside the store has to be read again.
CREATE TABLE revision (
    of     text   NOT NULL PRIMARY KEY,
    number bigint NOT NULL
);

INSERT INTO revision (of, number) VALUES ('campaign_activity', 0);

CREATE TABLE request_count (
    client_id text   NOT NULL PRIMARY KEY,
    second    bigint NOT NULL,
    in_second bigint NOT NULL,
    day       bigint NOT NULL,
    in_day    bigint NOT NULL
);

-- The keys that sign tokens, so that all servers at this database agree on them.
CREATE TABLE secret (
    name  text  NOT NULL PRIMARY KEY,
    value bytea NOT NULL
);

CREATE VIEW activity_type (number, name) AS VALUES
    (0::smallint, 'em_sends'), (1, 'em_opens'), (2, 'em_clicks'), (3, 'em_bounces'), (4, 'em_optouts'),
    (5, 'em_forwards'), (6, 'p_contact_open'), (7, 'p_contact_click'), (8, 'p_contact_add'), (9, 'p_contact_update');

CREATE VIEW device_type (number, name) AS VALUES
    (0::smallint, 'computer'), (1, 'mobile'), (2, 'tablet'), (3, 'other');

CREATE VIEW bounce_code (number, code, meaning) AS VALUES
    (0::smallint, 'B', 'address does not exist'), (1, 'D', 'undeliverable'), (2, 'F', 'mailbox full'),
    (3, 'S', 'suspended'), (4, 'V', 'vacation reply; the message was delivered'), (5, 'X', 'other reason'),
    (6, 'Z', 'blocked');
