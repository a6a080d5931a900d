-- next_campaign_activities: List the next campaign activities of all accounts in the order of their keys. Served by the
-- primary keys.
SELECT campaign_activity.key, account_id, campaign_activity_id
FROM campaign_activity JOIN account ON account.key = campaign_activity.account
WHERE campaign_activity.key > $1 ORDER BY campaign_activity.key LIMIT $2

-- get_contact_id: Get the id of a contact. Served by the primary key.
SELECT contact_id FROM contact WHERE key = $1

-- get_link: Get the address and id of a link. Served by the primary key.
SELECT link_url, url_id FROM link WHERE key = $1

-- differing_engagement: Find engagement that differs from a recount of one campaign activity.
SELECT type, contact, stored.activities, stored.last_time, expected.activities, expected.last_time
FROM (
    SELECT type, contact, activities, last_time FROM engagement WHERE campaign_activity = $1
) AS stored
FULL JOIN (
    SELECT type, contact, count(*) AS activities, max(created_time) AS last_time
    FROM tracking_activity WHERE campaign_activity = $1 GROUP BY type, contact
) AS expected USING (type, contact)
WHERE stored.activities IS DISTINCT FROM expected.activities OR stored.last_time IS DISTINCT FROM expected.last_time

-- differing_bounced_contact: Find the same differences of bounces and complaints by contact.
SELECT code, contact, stored.activities, expected.activities
FROM (
    SELECT bounce_code AS code, contact, activities FROM bounced_contact WHERE campaign_activity = $1
) AS stored
FULL JOIN (
    SELECT code, contact, count(*) AS activities
    FROM (
        SELECT contact, CASE WHEN type = 3 THEN bounce_code
                             WHEN opt_out_reason IN ('complaint', 'spam complaint', 'spam report') THEN 100 END AS code
        FROM tracking_activity WHERE campaign_activity = $1 AND type IN (3, 4)
    ) AS activity
    WHERE code IS NOT NULL
    GROUP BY code, contact
) AS expected USING (code, contact)
WHERE stored.activities IS DISTINCT FROM expected.activities

-- differing_clicked_link: Find the same differences of clicked links, whose rows either exist or don't.
SELECT link, contact, stored.found, expected.found
FROM (
    SELECT link, contact, 1 AS found FROM clicked_link WHERE campaign_activity = $1
) AS stored
FULL JOIN (
    SELECT DISTINCT link, contact, 1 AS found
    FROM tracking_activity WHERE campaign_activity = $1 AND link IS NOT NULL
) AS expected USING (link, contact)
WHERE stored.found IS DISTINCT FROM expected.found

-- stored_stats: Get the stored stats. Served by the primary key.
SELECT type, detail, sum(total)::bigint, sum(contacts)::bigint, max(last_time)
FROM campaign_activity_stats WHERE campaign_activity = $1 GROUP BY type, detail

-- recounted_totals: Recount the stats of types, without erased contacts.
SELECT type, -1 AS detail, count(*), count(DISTINCT contact), max(created_time)
FROM tracking_activity WHERE campaign_activity = $1 GROUP BY type

-- recounted_details: Recount the stats of devices, bounce codes and complaints, without erased contacts.
SELECT type, detail, count(*), CASE WHEN type = 3 OR detail = 100 THEN count(DISTINCT contact) END, max(created_time)
FROM (
    SELECT type, contact, created_time, CASE type WHEN 3 THEN bounce_code ELSE device_type END AS detail
    FROM tracking_activity WHERE campaign_activity = $1
    UNION ALL
    SELECT type, contact, created_time, 100
    FROM tracking_activity WHERE campaign_activity = $1 AND type = 4
      AND opt_out_reason IN ('complaint', 'spam complaint', 'spam report')
) AS activity
WHERE detail IS NOT NULL GROUP BY type, detail

-- erased_stats: Get the stats of erased contacts. Served by the primary key.
SELECT type, detail, sum(total)::bigint, sum(contacts)::bigint, max(last_time)
FROM erased_stats WHERE campaign_activity = $1 GROUP BY type, detail

-- stored_hours: Get the stored hours. Served by the primary key.
SELECT hour, type, sum(total)::bigint FROM campaign_activity_hour WHERE campaign_activity = $1 GROUP BY hour, type

-- recounted_hours: Recount the hours, without erased contacts.
SELECT date_trunc('hour', created_time, 'UTC'), type, count(*)
FROM tracking_activity WHERE campaign_activity = $1 GROUP BY 1, 2

-- erased_hours: Get the hours of erased contacts. Served by the primary key.
SELECT hour, type, sum(total)::bigint FROM erased_hour WHERE campaign_activity = $1 GROUP BY hour, type

-- clear_engagement: Delete the engagement before it is recounted.
DELETE FROM engagement WHERE campaign_activity = $1

-- recount_engagement: Insert the recounted engagement.
INSERT INTO engagement (campaign_activity, type, contact, activities, last_time)
SELECT campaign_activity, type, contact, count(*), max(created_time)
FROM tracking_activity WHERE campaign_activity = $1 GROUP BY campaign_activity, type, contact

-- clear_bounced_contact: Delete the bounces by contact before they are recounted.
DELETE FROM bounced_contact WHERE campaign_activity = $1

-- recount_bounced_contact: Insert the recounted bounces by contact.
INSERT INTO bounced_contact (campaign_activity, bounce_code, contact, activities)
SELECT $1::bigint, code, contact, count(*)
FROM (
    SELECT contact, CASE WHEN type = 3 THEN bounce_code
                         WHEN opt_out_reason IN ('complaint', 'spam complaint', 'spam report') THEN 100 END AS code
    FROM tracking_activity WHERE campaign_activity = $1 AND type IN (3, 4)
) AS activity
WHERE code IS NOT NULL GROUP BY code, contact

-- clear_clicked_link: Delete the clicked links before they are recounted.
DELETE FROM clicked_link WHERE campaign_activity = $1

-- recount_clicked_link: Insert the recounted clicked links.
INSERT INTO clicked_link (campaign_activity, link, contact)
SELECT DISTINCT campaign_activity, link, contact
FROM tracking_activity WHERE campaign_activity = $1 AND link IS NOT NULL

-- clear_stats: Delete the stats before they are recounted.
DELETE FROM campaign_activity_stats WHERE campaign_activity = $1

-- clear_hours: Delete the hours before they are recounted.
DELETE FROM campaign_activity_hour WHERE campaign_activity = $1

-- lock_against_writes: Keep others from recording until the transaction ends, after those that are recording now.
LOCK TABLE tracking_activity IN SHARE MODE
