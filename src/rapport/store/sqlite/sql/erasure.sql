-- get_contact: Get a contact. Served by unique (account_id) and unique (account, contact_id).
SELECT contact.key, contact.account, coalesce(contact.updated_at, 0)
FROM account JOIN contact ON contact.account = account.key
WHERE account.account_id = :account_id AND contact.contact_id = :contact_id;

-- list_activities: List the counted columns of a contact's activities. Served by the primary key.
SELECT campaign_activity, type, contact, created_time, device_type, bounce_code, link, opt_out_reason
FROM tracking_activity WHERE contact = :contact;

-- list_links: List the links of a campaign activity. Served by link_by_campaign_activity.
SELECT key, link_url, url_id FROM link WHERE campaign_activity = :campaign_activity;

-- is_clicked_by_others: Check whether another contact clicked a link. Served by the primary key.
SELECT 1 FROM clicked_link WHERE campaign_activity = ? AND link = ? AND contact <> ? LIMIT 1;

-- add_stats: Add to the stats of erased contacts. Served by the primary key.
INSERT INTO erased_stats (campaign_activity, type, detail, total, contacts, last_time) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
    total     = total + excluded.total,
    contacts  = contacts + excluded.contacts,
    last_time = max(last_time, excluded.last_time);

-- add_hours: Add to the hours of erased contacts. Served by the primary key.
INSERT INTO erased_hour (campaign_activity, hour, type, total) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET total = total + excluded.total;

-- add_link: Add to the number of erased contacts that clicked a link. Served by the primary key.
INSERT INTO erased_link (campaign_activity, link, contacts) VALUES (?, ?, ?)
ON CONFLICT DO UPDATE SET contacts = contacts + excluded.contacts;

-- move_link: Add the erased contacts' count of one link to that of another. Served by the primary key.
INSERT INTO erased_link (campaign_activity, link, contacts)
SELECT campaign_activity, ?3, contacts FROM erased_link WHERE campaign_activity = ?1 AND link = ?2
ON CONFLICT DO UPDATE SET contacts = contacts + excluded.contacts;

-- delete_link_count: Delete the erased contacts' count of a link. Served by the primary key.
DELETE FROM erased_link WHERE campaign_activity = ? AND link = ?;

-- clear_link: Remove the address and id of a link. Served by the primary key.
UPDATE link SET link_url = NULL, url_id = NULL WHERE key = ?;

-- delete_link: Delete a link. Served by the primary key.
DELETE FROM link WHERE key = ?;

-- delete_engagement: Delete the engagement of a contact with campaign activities by type. Served by the primary key.
DELETE FROM engagement WHERE campaign_activity = ? AND type = ? AND contact = ?;

-- delete_bounced_contact: Delete the bounces of a contact by campaign activity and code. Served by the primary key.
DELETE FROM bounced_contact WHERE campaign_activity = ? AND bounce_code = ? AND contact = ?;

-- delete_clicked_link: Delete the clicked links of a contact. Served by the primary key.
DELETE FROM clicked_link WHERE campaign_activity = ? AND link = ? AND contact = ?;

-- delete_activities: Delete the activities of a contact. Served by the primary key.
DELETE FROM tracking_activity WHERE contact = :contact;

-- delete_profiles: Delete the profiles of a contact. Served by the primary key.
DELETE FROM person WHERE contact = :contact;

-- delete_contact: Delete a contact. Served by the primary key.
DELETE FROM contact WHERE key = :contact;

-- insert_tombstone: Refuse the activities of an erased contact until a time from now on. Served by the primary key.
INSERT INTO erased_contact (digest, account, erased_time, last_time)
VALUES (:digest, :account, :erased_time, :last_time)
ON CONFLICT DO UPDATE SET
    erased_time = max(erased_time, excluded.erased_time),
    last_time   = max(last_time, excluded.last_time);

-- export_contacts: List the erased contacts of an account. Reads all tombstones.
SELECT digest, erased_time, last_time FROM erased_contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id) ORDER BY digest;

-- export_stats: List the stats of an account's erased contacts. Served by unique (account, campaign_activity_id) and
-- the primary key.
SELECT campaign_activity_id, type, detail, total, contacts, last_time
FROM campaign_activity CROSS JOIN erased_stats ON erased_stats.campaign_activity = campaign_activity.key
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
ORDER BY campaign_activity_id, type, detail;

-- export_hours: List the hours of an account's erased contacts. Served by the same.
SELECT campaign_activity_id, hour, type, total
FROM campaign_activity CROSS JOIN erased_hour ON erased_hour.campaign_activity = campaign_activity.key
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
ORDER BY campaign_activity_id, hour, type;

-- export_links: List how many of an account's erased contacts clicked which links. Served by the same.
SELECT campaign_activity_id, link_url, url_id, sum(contacts)
FROM campaign_activity
CROSS JOIN erased_link ON erased_link.campaign_activity = campaign_activity.key
CROSS JOIN link ON link.key = erased_link.link
WHERE campaign_activity.account = (SELECT key FROM account WHERE account_id = :account_id)
GROUP BY campaign_activity_id, link_url, url_id
ORDER BY campaign_activity_id, link_url, url_id;

-- delete_all_stats: Delete the stats of erased contacts, before others are imported. Served by the primary key.
DELETE FROM erased_stats WHERE campaign_activity = ?;

-- delete_all_hours: Delete the hours of erased contacts, before others are imported. Served by the primary key.
DELETE FROM erased_hour WHERE campaign_activity = ?;

-- delete_all_link_counts: Delete the link counts of erased contacts, before others are imported. Served by the primary
-- key.
DELETE FROM erased_link WHERE campaign_activity = ?;

-- delete_cleared_links: Delete links without address and id, which exist only because of a count. Served by
-- link_by_campaign_activity.
DELETE FROM link WHERE campaign_activity = ? AND link_url IS NULL AND url_id IS NULL;

-- has_tombstones: Check whether any contact was ever erased. Served by the primary key.
SELECT EXISTS (SELECT 1 FROM erased_contact);

-- find_tombstones: Find the tombstones with these digests. Served by the primary key.
SELECT digest, erased_time, last_time FROM carray(:digests) AS requested
CROSS JOIN erased_contact ON erased_contact.digest = requested.value;

-- list_unkeyed: List the tombstones whose digests have no key. Part of a migration.
SELECT digest, erased_time FROM erased_contact;

-- update_digest: Replace a digest without a key by a keyed one. Part of a migration. Served by the primary key.
UPDATE erased_contact SET digest = ?, last_time = ? WHERE digest = ?;

-- list_counted_links: List the links that erased contacts clicked. Part of a migration.
SELECT campaign_activity, link FROM erased_link ORDER BY campaign_activity, link;

-- list_clicked_links: List the clicked links of a campaign activity. Part of a migration. Served by a range of the
-- primary key.
SELECT DISTINCT link FROM clicked_link WHERE campaign_activity = ?;
