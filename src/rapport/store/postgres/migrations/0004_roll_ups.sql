-- Counts of activities, changed in the transaction that records the activities which they count.
--
-- On a cluster all three lie beside the contact whose activities they count, so that recording a contact's activities
-- touches one node, and goes on when others are lost.

-- What one contact did with one campaign activity: how often, first and last.
CREATE TABLE engagement (
    first_time        timestamptz NOT NULL,
    last_time         timestamptz NOT NULL,
    campaign_activity bigint      NOT NULL,
    activities        bigint      NOT NULL,
    type              smallint    NOT NULL,
    contact           bytea       NOT NULL
);

-- With which codes mail to a contact came back, that contacts are counted once for each code.
CREATE TABLE bounced_contact (
    campaign_activity bigint   NOT NULL,
    activities        bigint   NOT NULL,
    bounce_code       smallint NOT NULL,
    contact           bytea    NOT NULL,
    PRIMARY KEY (campaign_activity, bounce_code, contact)
);

-- How many activities, of how many contacts, the last when. The detail -1 is all of a type; the others are the
-- bounce codes of em_bounces and the device types of the other types, of which contacts are not counted.
--
-- Who reads sums the buckets. Each transaction writes to one, or who records a popular campaign activity would wait
-- for everybody else who does. A bucket is a key in the place of a contact's: a cluster spreads the buckets as it does
-- contacts, and there is one at least for every shard of 32 (store/postgres/layout.py).
CREATE TABLE campaign_activity_stats (
    last_time         timestamptz NOT NULL,
    campaign_activity bigint      NOT NULL,
    total             bigint      NOT NULL,
    contacts          bigint,
    type              smallint    NOT NULL,
    detail            smallint    NOT NULL,
    bucket            bytea       NOT NULL,
    PRIMARY KEY (campaign_activity, type, detail, bucket)
) WITH (fillfactor = 50);

-- Rows that change in place: room beside them, and no index on what changes.
ALTER TABLE engagement SET (fillfactor = 90);

INSERT INTO engagement (campaign_activity, type, contact, activities, first_time, last_time)
SELECT campaign_activity, type, contact, count(*), min(created_time), max(created_time)
FROM tracking_activity GROUP BY campaign_activity, type, contact;

ALTER TABLE engagement ADD PRIMARY KEY (campaign_activity, type, contact);

CREATE INDEX engagement_by_contact ON engagement (contact);

INSERT INTO bounced_contact (campaign_activity, bounce_code, contact, activities)
SELECT campaign_activity, bounce_code, contact, count(*)
FROM tracking_activity WHERE type = 3 AND bounce_code IS NOT NULL
GROUP BY campaign_activity, bounce_code, contact;

INSERT INTO campaign_activity_stats (campaign_activity, type, detail, bucket, total, contacts, last_time)
SELECT campaign_activity, type, -1, '\x00', sum(activities), count(*), max(last_time)
FROM engagement GROUP BY campaign_activity, type;

INSERT INTO campaign_activity_stats (campaign_activity, type, detail, bucket, total, contacts, last_time)
SELECT campaign_activity, type, CASE type WHEN 3 THEN bounce_code ELSE device_type END AS detail, '\x00',
       count(*), CASE type WHEN 3 THEN count(DISTINCT contact) END, max(created_time)
FROM tracking_activity
WHERE CASE type WHEN 3 THEN bounce_code ELSE device_type END IS NOT NULL
GROUP BY campaign_activity, type, CASE type WHEN 3 THEN bounce_code ELSE device_type END;
