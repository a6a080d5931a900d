-- What contacts did with campaign activities.
--
-- Keys are small integers that never leave the store. Times are UTC milliseconds since 1970.
-- The numbers of type, device_type and bounce_code are those of the enums in rapport/activity.py;
-- the views activity_type, device_type and bounce_code tell their names.

CREATE TABLE account (
    key          INTEGER PRIMARY KEY,
    account_id   TEXT    NOT NULL UNIQUE,
    created_time INTEGER NOT NULL
) STRICT;

-- What is known of the contact now. What each activity said of it at the time is in person.
CREATE TABLE contact (
    key           INTEGER PRIMARY KEY,
    account       INTEGER NOT NULL REFERENCES account,
    contact_id    TEXT    NOT NULL,
    email_address TEXT,
    first_name    TEXT,
    last_name     TEXT,
    UNIQUE (account, contact_id)
) STRICT;

CREATE TABLE person (
    contact       INTEGER NOT NULL REFERENCES contact,
    number        INTEGER NOT NULL,
    email_address TEXT,
    first_name    TEXT,
    last_name     TEXT,
    PRIMARY KEY (contact, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE campaign (
    key         INTEGER PRIMARY KEY,
    account     INTEGER NOT NULL REFERENCES account,
    campaign_id TEXT    NOT NULL,
    UNIQUE (account, campaign_id)
) STRICT;

-- name_time and campaign_time: the time of the activity that stated the name and the campaign, to within an hour.
CREATE TABLE campaign_activity (
    key                    INTEGER PRIMARY KEY,
    account                INTEGER NOT NULL REFERENCES account,
    campaign_activity_id   TEXT    NOT NULL,
    campaign_activity_name TEXT,
    name_time              INTEGER,
    campaign               INTEGER REFERENCES campaign,
    campaign_time          INTEGER,
    UNIQUE (account, campaign_activity_id)
) STRICT;

CREATE TABLE link (
    key               INTEGER PRIMARY KEY,
    campaign_activity INTEGER NOT NULL REFERENCES campaign_activity,
    link_url          TEXT,
    url_id            TEXT
) STRICT;

CREATE INDEX link_by_campaign_activity ON link (campaign_activity, link_url, url_id);

-- One row an activity, clustered by the key that pages are read from.
CREATE TABLE tracking_activity (
    contact           INTEGER NOT NULL REFERENCES contact,
    type              INTEGER NOT NULL,
    created_time      INTEGER NOT NULL,
    identity          INTEGER NOT NULL,
    campaign_activity INTEGER NOT NULL REFERENCES campaign_activity,
    person            INTEGER,
    link              INTEGER REFERENCES link,
    device_type       INTEGER,
    bounce_code       INTEGER,
    opt_out_reason    TEXT,
    event_id          TEXT,
    PRIMARY KEY (contact, type, created_time, identity),
    FOREIGN KEY (contact, person) REFERENCES person
) STRICT, WITHOUT ROWID;

-- An event id names one activity of its contact, whatever time its source gives on the next delivery.
CREATE UNIQUE INDEX tracking_activity_by_event ON tracking_activity (contact, identity) WHERE event_id IS NOT NULL;

-- Grows when what is remembered of a table outside the store has to be read again.
CREATE TABLE revision (
    of     TEXT    NOT NULL PRIMARY KEY,
    number INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO revision (of, number) VALUES ('campaign_activity', 0);

CREATE TABLE request_count (
    client_id TEXT    NOT NULL PRIMARY KEY,
    second    INTEGER NOT NULL,
    in_second INTEGER NOT NULL,
    day       INTEGER NOT NULL,
    in_day    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE VIEW activity_type (number, name) AS VALUES
    (0, 'em_sends'), (1, 'em_opens'), (2, 'em_clicks'), (3, 'em_bounces'), (4, 'em_optouts'), (5, 'em_forwards'),
    (6, 'p_contact_open'), (7, 'p_contact_click'), (8, 'p_contact_add'), (9, 'p_contact_update');

CREATE VIEW device_type (number, name) AS VALUES (0, 'computer'), (1, 'mobile'), (2, 'tablet'), (3, 'other');

CREATE VIEW bounce_code (number, code, meaning) AS VALUES
    (0, 'B', 'address does not exist'), (1, 'D', 'undeliverable'), (2, 'F', 'mailbox full'), (3, 'S', 'suspended'),
    (4, 'V', 'vacation reply; the message was delivered'), (5, 'X', 'other reason'), (6, 'Z', 'blocked');
