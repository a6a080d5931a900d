-- next_campaign_activities: some of all accounts, in the order of their keys. Served by the primary keys.
SELECT campaign_activity.key, account_id, campaign_activity_id
FROM campaign_activity JOIN account ON account.key = campaign_activity.account
WHERE campaign_activity.key > :after ORDER BY campaign_activity.key LIMIT :limit;

-- contact_id: how a contact is called. Served by the primary key.
SELECT contact_id FROM contact WHERE key = :contact;

-- contact_names: the account and the id of a contact. Served by the primary keys.
SELECT account_id, contact_id FROM contact JOIN account ON account.key = contact.account WHERE contact.key = :contact;

-- link: what a link is called. Served by the primary key.
SELECT link_url, url_id FROM link WHERE key = :link;

-- differing_engagement: where it isn't what a recount of one campaign activity gives. The recount finds its row by the
-- primary key; a row without any activity is found out by the contact's own (the + keeps the scan of all others away).
-- A FULL JOIN would look through the whole recount for every row.
SELECT should.type, should.contact, stands.activities, stands.last_time, should.activities, should.last_time
FROM (
    SELECT type, contact, count(*) AS activities, max(created_time) AS last_time
    FROM tracking_activity WHERE campaign_activity = :campaign_activity GROUP BY type, contact
) AS should
LEFT JOIN engagement AS stands ON stands.campaign_activity = :campaign_activity
 AND stands.type = should.type AND stands.contact = should.contact
WHERE stands.activities IS NOT should.activities OR stands.last_time IS NOT should.last_time
UNION ALL
SELECT type, contact, activities, last_time, NULL, NULL
FROM engagement AS stands
WHERE campaign_activity = :campaign_activity AND NOT EXISTS (
    SELECT 1 FROM tracking_activity AS did
    WHERE did.contact = stands.contact AND did.type = stands.type AND +did.campaign_activity = :campaign_activity
);

-- differing_bounced_contact: the same for the bounce codes of contacts.
SELECT should.bounce_code, should.contact, stands.activities, should.activities
FROM (
    SELECT bounce_code, contact, count(*) AS activities
    FROM tracking_activity
    WHERE campaign_activity = :campaign_activity AND type = 3 AND bounce_code IS NOT NULL
    GROUP BY bounce_code, contact
) AS should
LEFT JOIN bounced_contact AS stands ON stands.campaign_activity = :campaign_activity
 AND stands.bounce_code = should.bounce_code AND stands.contact = should.contact
WHERE stands.activities IS NOT should.activities
UNION ALL
SELECT bounce_code, contact, activities, NULL
FROM bounced_contact AS stands
WHERE campaign_activity = :campaign_activity AND NOT EXISTS (
    SELECT 1 FROM tracking_activity AS did
    WHERE did.contact = stands.contact AND did.type = 3 AND +did.campaign_activity = :campaign_activity
      AND did.bounce_code = stands.bounce_code
);

-- differing_clicked_link: the same for the links that contacts clicked: whether the row is there, whether it should be.
SELECT should.link, should.contact, NULL, 1
FROM (
    SELECT DISTINCT link, contact
    FROM tracking_activity WHERE campaign_activity = :campaign_activity AND link IS NOT NULL
) AS should
LEFT JOIN clicked_link AS stands ON stands.campaign_activity = :campaign_activity
 AND stands.link = should.link AND stands.contact = should.contact
WHERE stands.link IS NULL
UNION ALL
SELECT link, contact, 1, NULL
FROM clicked_link AS stands
WHERE campaign_activity = :campaign_activity AND NOT EXISTS (
    SELECT 1 FROM tracking_activity AS did
    WHERE did.contact = stands.contact AND did.type IN (2, 7) AND +did.campaign_activity = :campaign_activity
      AND did.link = stands.link
);

-- standing_stats: the totals as they are. Served by the primary key.
SELECT type, detail, total, contacts, last_time FROM campaign_activity_stats WHERE campaign_activity = :campaign_activity;

-- recounted_totals: what the totals of the types should be, without those who were erased.
SELECT type, -1 AS detail, count(*), count(DISTINCT contact), max(created_time)
FROM tracking_activity WHERE campaign_activity = :campaign_activity GROUP BY type;

-- recounted_details: what the totals of the devices and bounce codes should be, without those who were erased.
SELECT type, CASE type WHEN 3 THEN bounce_code ELSE device_type END AS detail,
       count(*), CASE type WHEN 3 THEN count(DISTINCT contact) END, max(created_time)
FROM tracking_activity
WHERE campaign_activity = :campaign_activity AND CASE type WHEN 3 THEN bounce_code ELSE device_type END IS NOT NULL
GROUP BY type, CASE type WHEN 3 THEN bounce_code ELSE device_type END;

-- erased: what those who were erased are counted with. Served by the primary key.
SELECT type, detail, total, contacts, last_time FROM erased_stats WHERE campaign_activity = :campaign_activity;

-- standing_hours: the hours as they are. Served by the primary key.
SELECT hour, type, total FROM campaign_activity_hour WHERE campaign_activity = :campaign_activity;

-- recounted_hours: what they should be, without those who were erased.
SELECT created_time - created_time % 3600000 AS hour, type, count(*)
FROM tracking_activity WHERE campaign_activity = :campaign_activity GROUP BY hour, type;

-- erased_hours: what those who were erased are counted with. Served by the primary key.
SELECT hour, type, total FROM erased_hour WHERE campaign_activity = :campaign_activity;

-- clear_engagement: makes room for the recount.
DELETE FROM engagement WHERE campaign_activity = :campaign_activity;

-- recount_engagement: what it should be.
INSERT INTO engagement (campaign_activity, type, contact, activities, last_time)
SELECT campaign_activity, type, contact, count(*), max(created_time)
FROM tracking_activity WHERE campaign_activity = :campaign_activity GROUP BY campaign_activity, type, contact;

-- clear_bounced_contact: makes room for the recount.
DELETE FROM bounced_contact WHERE campaign_activity = :campaign_activity;

-- recount_bounced_contact: what it should be.
INSERT INTO bounced_contact (campaign_activity, bounce_code, contact, activities)
SELECT campaign_activity, bounce_code, contact, count(*)
FROM tracking_activity WHERE campaign_activity = :campaign_activity AND type = 3 AND bounce_code IS NOT NULL
GROUP BY campaign_activity, bounce_code, contact;

-- clear_clicked_link: makes room for the recount.
DELETE FROM clicked_link WHERE campaign_activity = :campaign_activity;

-- recount_clicked_link: what it should be.
INSERT INTO clicked_link (campaign_activity, link, contact)
SELECT DISTINCT campaign_activity, link, contact
FROM tracking_activity WHERE campaign_activity = :campaign_activity AND link IS NOT NULL;

-- clear_stats: makes room for the recount.
DELETE FROM campaign_activity_stats WHERE campaign_activity = :campaign_activity;

-- clear_hours: makes room for the recount.
DELETE FROM campaign_activity_hour WHERE campaign_activity = :campaign_activity;
