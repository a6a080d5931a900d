-- next_campaign_activities: List the next campaign activities of all accounts in the order of their keys. Served by the
-- primary keys.
SELECT campaign_activity.key, account_id, campaign_activity_id
FROM campaign_activity JOIN account ON account.key = campaign_activity.account
WHERE campaign_activity.key > :after ORDER BY campaign_activity.key LIMIT :limit;

-- get_contact_id: Get the id of a contact. Served by the primary key.
SELECT contact_id FROM contact WHERE key = :contact;

-- get_contact_ids: Get the account's id and the id of a contact. Served by the primary keys.
SELECT account_id, contact_id FROM contact JOIN account ON account.key = contact.account WHERE contact.key = :contact;

-- get_link: Get the address and id of a link. Served by the primary key.
SELECT link_url, url_id FROM link WHERE key = :link;

-- differing_engagement: Find engagement that differs from a recount of one campaign activity. Each recounted row looks
-- up the stored one by the primary key, and rows without activities are found by those of the contact; the + prevents a
-- scan of all activities. A FULL JOIN would read the whole recount for every row.
SELECT expected.type, expected.contact, stored.activities, stored.last_time, expected.activities, expected.last_time
FROM (
    SELECT type, contact, count(*) AS activities, max(created_time) AS last_time
    FROM tracking_activity WHERE campaign_activity = :campaign_activity GROUP BY type, contact
) AS expected
LEFT JOIN engagement AS stored ON stored.campaign_activity = :campaign_activity
 AND stored.type = expected.type AND stored.contact = expected.contact
WHERE stored.activities IS NOT expected.activities OR stored.last_time IS NOT expected.last_time
UNION ALL
SELECT type, contact, activities, last_time, NULL, NULL
FROM engagement AS stored
WHERE campaign_activity = :campaign_activity AND NOT EXISTS (
    SELECT 1 FROM tracking_activity AS activity
    WHERE activity.contact = stored.contact AND activity.type = stored.type AND +activity.campaign_activity = :campaign_activity
);

-- differing_bounced_contact: Find the same differences of bounces and complaints by contact.
SELECT expected.code, expected.contact, stored.activities, expected.activities
FROM (
    SELECT code, contact, count(*) AS activities
    FROM (
        SELECT contact, CASE WHEN type = 3 THEN bounce_code
                             WHEN opt_out_reason IN ('complaint', 'spam complaint', 'spam report') THEN 100 END AS code
        FROM tracking_activity WHERE campaign_activity = :campaign_activity AND type IN (3, 4)
    ) AS activity
    WHERE code IS NOT NULL
    GROUP BY code, contact
) AS expected
LEFT JOIN bounced_contact AS stored ON stored.campaign_activity = :campaign_activity
 AND stored.bounce_code = expected.code AND stored.contact = expected.contact
WHERE stored.activities IS NOT expected.activities
UNION ALL
SELECT bounce_code, contact, activities, NULL
FROM bounced_contact AS stored
WHERE campaign_activity = :campaign_activity AND NOT EXISTS (
    SELECT 1 FROM tracking_activity AS activity
    WHERE activity.contact = stored.contact AND activity.type = iif(stored.bounce_code = 100, 4, 3)
      AND +activity.campaign_activity = :campaign_activity
      AND iif(activity.type = 3, activity.bounce_code = stored.bounce_code,
              opt_out_reason IN ('complaint', 'spam complaint', 'spam report'))
);

-- differing_clicked_link: Find the same differences of clicked links, whose rows either exist or don't.
SELECT expected.link, expected.contact, NULL, 1
FROM (
    SELECT DISTINCT link, contact
    FROM tracking_activity WHERE campaign_activity = :campaign_activity AND link IS NOT NULL
) AS expected
LEFT JOIN clicked_link AS stored ON stored.campaign_activity = :campaign_activity
 AND stored.link = expected.link AND stored.contact = expected.contact
WHERE stored.link IS NULL
UNION ALL
SELECT link, contact, 1, NULL
FROM clicked_link AS stored
WHERE campaign_activity = :campaign_activity AND NOT EXISTS (
    SELECT 1 FROM tracking_activity AS activity
    WHERE activity.contact = stored.contact AND activity.type IN (2, 7) AND +activity.campaign_activity = :campaign_activity
      AND activity.link = stored.link
);

-- stored_stats: Get the stored stats. Served by the primary key.
SELECT type, detail, total, contacts, last_time FROM campaign_activity_stats WHERE campaign_activity = :campaign_activity;

-- recounted_totals: Recount the stats of types, without erased contacts.
SELECT type, -1 AS detail, count(*), count(DISTINCT contact), max(created_time)
FROM tracking_activity WHERE campaign_activity = :campaign_activity GROUP BY type;

-- recounted_details: Recount the stats of devices, bounce codes and complaints, without erased contacts.
SELECT type, detail, count(*), CASE WHEN type = 3 OR detail = 100 THEN count(DISTINCT contact) END, max(created_time)
FROM (
    SELECT type, contact, created_time, CASE type WHEN 3 THEN bounce_code ELSE device_type END AS detail
    FROM tracking_activity WHERE campaign_activity = :campaign_activity
    UNION ALL
    SELECT type, contact, created_time, 100
    FROM tracking_activity WHERE campaign_activity = :campaign_activity AND type = 4
      AND opt_out_reason IN ('complaint', 'spam complaint', 'spam report')
) AS activity
WHERE detail IS NOT NULL GROUP BY type, detail;

-- erased_stats: Get the stats of erased contacts. Served by the primary key.
SELECT type, detail, total, contacts, last_time FROM erased_stats WHERE campaign_activity = :campaign_activity;

-- stored_hours: Get the stored hours. Served by the primary key.
SELECT hour, type, total FROM campaign_activity_hour WHERE campaign_activity = :campaign_activity;

-- recounted_hours: Recount the hours, without erased contacts.
SELECT created_time - created_time % 3600000 AS hour, type, count(*)
FROM tracking_activity WHERE campaign_activity = :campaign_activity GROUP BY hour, type;

-- erased_hours: Get the hours of erased contacts. Served by the primary key.
SELECT hour, type, total FROM erased_hour WHERE campaign_activity = :campaign_activity;

-- clear_engagement: Delete the engagement before it is recounted.
DELETE FROM engagement WHERE campaign_activity = :campaign_activity;

-- recount_engagement: Insert the recounted engagement.
INSERT INTO engagement (campaign_activity, type, contact, activities, last_time)
SELECT campaign_activity, type, contact, count(*), max(created_time)
FROM tracking_activity WHERE campaign_activity = :campaign_activity GROUP BY campaign_activity, type, contact;

-- clear_bounced_contact: Delete the bounces by contact before they are recounted.
DELETE FROM bounced_contact WHERE campaign_activity = :campaign_activity;

-- recount_bounced_contact: Insert the recounted bounces by contact.
INSERT INTO bounced_contact (campaign_activity, bounce_code, contact, activities)
SELECT :campaign_activity, code, contact, count(*)
FROM (
    SELECT contact, CASE WHEN type = 3 THEN bounce_code
                         WHEN opt_out_reason IN ('complaint', 'spam complaint', 'spam report') THEN 100 END AS code
    FROM tracking_activity WHERE campaign_activity = :campaign_activity AND type IN (3, 4)
) AS activity
WHERE code IS NOT NULL GROUP BY code, contact;

-- clear_clicked_link: Delete the clicked links before they are recounted.
DELETE FROM clicked_link WHERE campaign_activity = :campaign_activity;

-- recount_clicked_link: Insert the recounted clicked links.
INSERT INTO clicked_link (campaign_activity, link, contact)
SELECT DISTINCT campaign_activity, link, contact
FROM tracking_activity WHERE campaign_activity = :campaign_activity AND link IS NOT NULL;

-- clear_stats: Delete the stats before they are recounted.
DELETE FROM campaign_activity_stats WHERE campaign_activity = :campaign_activity;

-- clear_hours: Delete the hours before they are recounted.
DELETE FROM campaign_activity_hour WHERE campaign_activity = :campaign_activity;
