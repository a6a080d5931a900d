-- Fewer bytes. What was said first of a contact, number 1 of person, is mostly all that ever is, and what is known of
-- the contact now: then the contact's row holds it, and person has none. And an activity without an event id has an
-- identity of six bytes, enough to tell it from others of its contact, type and millisecond.

DROP VIEW activity;

CREATE TABLE smaller_tracking_activity (
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
    PRIMARY KEY (contact, type, created_time, identity)
) STRICT, WITHOUT ROWID;

-- In the order of the key, so that no page is left half empty.
INSERT INTO smaller_tracking_activity
SELECT contact, type, created_time, iif(event_id IS NULL, identity >> 16, identity), campaign_activity,
       person, link, device_type, bounce_code, opt_out_reason, event_id
FROM tracking_activity ORDER BY contact, type, created_time;

DROP TABLE tracking_activity;

ALTER TABLE smaller_tracking_activity RENAME TO tracking_activity;

-- An event id names one activity of its contact, whatever time its source gives on the next delivery.
CREATE UNIQUE INDEX tracking_activity_by_event ON tracking_activity (contact, identity) WHERE event_id IS NOT NULL;

-- The reports on one campaign activity: its activities of a type, newest first. contact and identity, which the
-- clustered key adds to every index anyway, are named for the order; link and bounce_code are what pages select by.
CREATE INDEX tracking_activity_by_campaign_activity
    ON tracking_activity (campaign_activity, type, created_time, contact, identity, link, bounce_code);

DELETE FROM person WHERE number = 1 AND EXISTS (
    SELECT 1 FROM contact
    WHERE contact.key = person.contact AND contact.email_address IS person.email_address
      AND contact.first_name IS person.first_name AND contact.last_name IS person.last_name
);

-- For people who look: every activity with all that is known of it, by its public names. Nothing in the house reads it.
CREATE VIEW activity AS
SELECT account.account_id,
       contact.contact_id,
       activity_type.name AS type,
       strftime('%Y-%m-%dT%H:%M:%S', tracking_activity.created_time / 1000, 'unixepoch')
           || printf('.%03dZ', tracking_activity.created_time % 1000) AS created_time,
       campaign_activity.campaign_activity_id,
       campaign_activity.campaign_activity_name,
       campaign.campaign_id,
       iif(tracking_activity.person = 1 AND person.number IS NULL, contact.email_address, person.email_address)
           AS email_address,
       iif(tracking_activity.person = 1 AND person.number IS NULL, contact.first_name, person.first_name) AS first_name,
       iif(tracking_activity.person = 1 AND person.number IS NULL, contact.last_name, person.last_name) AS last_name,
       link.link_url,
       link.url_id,
       device_type.name AS device_type,
       bounce_code.code AS bounce_code,
       tracking_activity.opt_out_reason,
       tracking_activity.event_id
FROM tracking_activity
JOIN contact ON contact.key = tracking_activity.contact
JOIN account ON account.key = contact.account
JOIN activity_type ON activity_type.number = tracking_activity.type
JOIN campaign_activity ON campaign_activity.key = tracking_activity.campaign_activity
LEFT JOIN campaign ON campaign.key = campaign_activity.campaign
LEFT JOIN person ON person.contact = tracking_activity.contact AND person.number = tracking_activity.person
LEFT JOIN link ON link.key = tracking_activity.link
LEFT JOIN device_type ON device_type.number = tracking_activity.device_type
LEFT JOIN bounce_code ON bounce_code.number = tracking_activity.bounce_code;
