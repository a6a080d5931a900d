-- Counts of activities, changed in the transaction that records the activities which they count.

-- What one contact did with one campaign activity: how often, first and last.
CREATE TABLE engagement (
    campaign_activity INTEGER NOT NULL REFERENCES campaign_activity,
    type              INTEGER NOT NULL,
    contact           INTEGER NOT NULL REFERENCES contact,
    activities        INTEGER NOT NULL,
    first_time        INTEGER NOT NULL,
    last_time         INTEGER NOT NULL,
    PRIMARY KEY (campaign_activity, type, contact)
) STRICT, WITHOUT ROWID;

-- With which codes mail to a contact came back, that contacts are counted once for each code.
CREATE TABLE bounced_contact (
    campaign_activity INTEGER NOT NULL REFERENCES campaign_activity,
    bounce_code       INTEGER NOT NULL,
    contact           INTEGER NOT NULL REFERENCES contact,
    activities        INTEGER NOT NULL,
    PRIMARY KEY (campaign_activity, bounce_code, contact)
) STRICT, WITHOUT ROWID;

-- How many activities, of how many contacts, the last when. The detail -1 is all of a type; the others are the
-- bounce codes of em_bounces and the device types of the other types, of which contacts are not counted.
CREATE TABLE campaign_activity_stats (
    campaign_activity INTEGER NOT NULL REFERENCES campaign_activity,
    type              INTEGER NOT NULL,
    detail            INTEGER NOT NULL,
    total             INTEGER NOT NULL,
    contacts          INTEGER,
    last_time         INTEGER NOT NULL,
    PRIMARY KEY (campaign_activity, type, detail)
) STRICT, WITHOUT ROWID;

INSERT INTO engagement (campaign_activity, type, contact, activities, first_time, last_time)
SELECT campaign_activity, type, contact, count(*), min(created_time), max(created_time)
FROM tracking_activity GROUP BY campaign_activity, type, contact;

CREATE INDEX engagement_by_contact ON engagement (contact);

INSERT INTO bounced_contact (campaign_activity, bounce_code, contact, activities)
SELECT campaign_activity, bounce_code, contact, count(*)
FROM tracking_activity WHERE type = 3 AND bounce_code IS NOT NULL
GROUP BY campaign_activity, bounce_code, contact;

INSERT INTO campaign_activity_stats (campaign_activity, type, detail, total, contacts, last_time)
SELECT campaign_activity, type, -1, sum(activities), count(*), max(last_time)
FROM engagement GROUP BY campaign_activity, type;

INSERT INTO campaign_activity_stats (campaign_activity, type, detail, total, contacts, last_time)
SELECT campaign_activity, type, CASE type WHEN 3 THEN bounce_code ELSE device_type END AS detail,
       count(*), CASE type WHEN 3 THEN count(DISTINCT contact) END, max(created_time)
FROM tracking_activity
WHERE CASE type WHEN 3 THEN bounce_code ELSE device_type END IS NOT NULL
GROUP BY campaign_activity, type, detail;
