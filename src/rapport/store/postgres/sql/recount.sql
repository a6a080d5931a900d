-- next_campaign_activities: some of all accounts, in the order of their keys. Served by the primary keys.
SELECT campaign_activity.key, account_id, campaign_activity_id
FROM campaign_activity JOIN account ON account.key = campaign_activity.account
WHERE campaign_activity.key > $1 ORDER BY campaign_activity.key LIMIT $2

-- contact_id: how a contact is called. Served by the primary key.
SELECT contact_id FROM contact WHERE key = $1

-- link: what a link is called. Served by the primary key.
SELECT link_url, url_id FROM link WHERE key = $1

-- differing_engagement: where it isn't what a recount of one campaign activity gives.
SELECT type, contact, stands.activities, stands.last_time, should.activities, should.last_time
FROM (
    SELECT type, contact, activities, last_time FROM engagement WHERE campaign_activity = $1
) AS stands
FULL JOIN (
    SELECT type, contact, count(*) AS activities, max(created_time) AS last_time
    FROM tracking_activity WHERE campaign_activity = $1 GROUP BY type, contact
) AS should USING (type, contact)
WHERE stands.activities IS DISTINCT FROM should.activities OR stands.last_time IS DISTINCT FROM should.last_time

-- differing_bounced_contact: the same for the bounce codes of contacts.
SELECT bounce_code, contact, stands.activities, should.activities
FROM (
    SELECT bounce_code, contact, activities FROM bounced_contact WHERE campaign_activity = $1
) AS stands
FULL JOIN (
    SELECT bounce_code, contact, count(*) AS activities
    FROM tracking_activity WHERE campaign_activity = $1 AND type = 3 AND bounce_code IS NOT NULL
    GROUP BY bounce_code, contact
) AS should USING (bounce_code, contact)
WHERE stands.activities IS DISTINCT FROM should.activities

-- differing_clicked_link: the same for the links that contacts clicked: whether the row is there, whether it should be.
SELECT link, contact, stands.there, should.there
FROM (
    SELECT link, contact, 1 AS there FROM clicked_link WHERE campaign_activity = $1
) AS stands
FULL JOIN (
    SELECT DISTINCT link, contact, 1 AS there
    FROM tracking_activity WHERE campaign_activity = $1 AND link IS NOT NULL
) AS should USING (link, contact)
WHERE stands.there IS DISTINCT FROM should.there

-- standing_stats: the totals as they are. Served by the primary key.
SELECT type, detail, sum(total)::bigint, sum(contacts)::bigint, max(last_time)
FROM campaign_activity_stats WHERE campaign_activity = $1 GROUP BY type, detail

-- recounted_totals: what the totals of the types should be, without those who were erased.
SELECT type, -1 AS detail, count(*), count(DISTINCT contact), max(created_time)
FROM tracking_activity WHERE campaign_activity = $1 GROUP BY type

-- recounted_details: what the totals of the devices and bounce codes should be, without those who were erased.
SELECT type, CASE type WHEN 3 THEN bounce_code ELSE device_type END AS detail,
       count(*), CASE type WHEN 3 THEN count(DISTINCT contact) END, max(created_time)
FROM tracking_activity
WHERE campaign_activity = $1 AND CASE type WHEN 3 THEN bounce_code ELSE device_type END IS NOT NULL
GROUP BY type, CASE type WHEN 3 THEN bounce_code ELSE device_type END

-- erased: what those who were erased are counted with. Served by the primary key.
SELECT type, detail, sum(total)::bigint, sum(contacts)::bigint, max(last_time)
FROM erased_stats WHERE campaign_activity = $1 GROUP BY type, detail

-- standing_hours: the hours as they are. Served by the primary key.
SELECT hour, type, sum(total)::bigint FROM campaign_activity_hour WHERE campaign_activity = $1 GROUP BY hour, type

-- recounted_hours: what they should be, without those who were erased.
SELECT date_trunc('hour', created_time, 'UTC'), type, count(*)
FROM tracking_activity WHERE campaign_activity = $1 GROUP BY 1, 2

-- erased_hours: what those who were erased are counted with. Served by the primary key.
SELECT hour, type, sum(total)::bigint FROM erased_hour WHERE campaign_activity = $1 GROUP BY hour, type

-- clear_engagement: makes room for the recount.
DELETE FROM engagement WHERE campaign_activity = $1

-- recount_engagement: what it should be.
INSERT INTO engagement (campaign_activity, type, contact, activities, last_time)
SELECT campaign_activity, type, contact, count(*), max(created_time)
FROM tracking_activity WHERE campaign_activity = $1 GROUP BY campaign_activity, type, contact

-- clear_bounced_contact: makes room for the recount.
DELETE FROM bounced_contact WHERE campaign_activity = $1

-- recount_bounced_contact: what it should be.
INSERT INTO bounced_contact (campaign_activity, bounce_code, contact, activities)
SELECT campaign_activity, bounce_code, contact, count(*)
FROM tracking_activity WHERE campaign_activity = $1 AND type = 3 AND bounce_code IS NOT NULL
GROUP BY campaign_activity, bounce_code, contact

-- clear_clicked_link: makes room for the recount.
DELETE FROM clicked_link WHERE campaign_activity = $1

-- recount_clicked_link: what it should be.
INSERT INTO clicked_link (campaign_activity, link, contact)
SELECT DISTINCT campaign_activity, link, contact
FROM tracking_activity WHERE campaign_activity = $1 AND link IS NOT NULL

-- clear_stats: makes room for the recount.
DELETE FROM campaign_activity_stats WHERE campaign_activity = $1

-- clear_hours: makes room for the recount.
DELETE FROM campaign_activity_hour WHERE campaign_activity = $1

-- keep_writers_out: nobody records until this is over, and who is recording now has done so.
LOCK TABLE tracking_activity IN SHARE MODE
