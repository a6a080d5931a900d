-- contact: which contact is meant. Served by unique (account_id) and unique (account, contact_id).
SELECT contact.key, contact.account, coalesce(contact.updated_at, 0)
FROM account JOIN contact ON contact.account = account.key
WHERE account.account_id = :account_id AND contact.contact_id = :contact_id;

-- activities: what the contact was counted with. Served by the primary key.
SELECT campaign_activity, type, contact, created_time, device_type, bounce_code, link
FROM tracking_activity WHERE contact = :contact;

-- links: what links are called. Served by link_by_campaign_activity.
SELECT key, link_url, url_id FROM link WHERE campaign_activity = :campaign_activity;

-- clicked_by_another: whether somebody else clicked a link. Served by the primary key.
SELECT 1 FROM clicked_link WHERE campaign_activity = ? AND link = ? AND contact <> ? LIMIT 1;

-- keep_stats: counts that stay. Served by the primary key.
INSERT INTO erased_stats (campaign_activity, type, detail, total, contacts, last_time) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
    total     = total + excluded.total,
    contacts  = contacts + excluded.contacts,
    last_time = max(last_time, excluded.last_time);

-- keep_hours: the same for the hours. Served by the primary key.
INSERT INTO erased_hour (campaign_activity, hour, type, total) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET total = total + excluded.total;

-- keep_link: how many clicked a link stays. Served by the primary key.
INSERT INTO erased_link (campaign_activity, link, contacts) VALUES (?, ?, ?)
ON CONFLICT DO UPDATE SET contacts = contacts + excluded.contacts;

-- move_link: add what erased contacts are counted with for one link to another one. Served by the primary key.
INSERT INTO erased_link (campaign_activity, link, contacts)
SELECT campaign_activity, ?3, contacts FROM erased_link WHERE campaign_activity = ?1 AND link = ?2
ON CONFLICT DO UPDATE SET contacts = contacts + excluded.contacts;

-- uncount_link: a link that isn't counted any more. Served by the primary key.
DELETE FROM erased_link WHERE campaign_activity = ? AND link = ?;

-- empty_link: forget what a link is called. Served by the primary key.
UPDATE link SET link_url = NULL, url_id = NULL WHERE key = ?;

-- remove_link: forget a link. Served by the primary key.
DELETE FROM link WHERE key = ?;

-- erase_engagement: of one campaign activity and type. Served by the primary key.
DELETE FROM engagement WHERE campaign_activity = ? AND type = ? AND contact = ?;

-- erase_bounced_contact: of one campaign activity and code. Served by the primary key.
DELETE FROM bounced_contact WHERE campaign_activity = ? AND bounce_code = ? AND contact = ?;

-- erase_clicked_link: of one campaign activity and link. Served by the primary key.
DELETE FROM clicked_link WHERE campaign_activity = ? AND link = ? AND contact = ?;

-- erase_activities: all that the contact did. Served by the primary key.
DELETE FROM tracking_activity WHERE contact = :contact;

-- erase_persons: all that was said of the contact. Served by the primary key.
DELETE FROM person WHERE contact = :contact;

-- erase_contact: the contact itself. Served by the primary key.
DELETE FROM contact WHERE key = :contact;

-- refuse: from now on, what the contact did until then. Served by the primary key.
INSERT INTO erased_contact (digest, account, erased_time, last_time)
VALUES (:digest, :account, :erased_time, :last_time)
ON CONFLICT DO UPDATE SET
    erased_time = max(erased_time, excluded.erased_time),
    last_time   = max(last_time, excluded.last_time);

-- erased_contacts: who of an account was erased. Every one that ever was is looked at.
SELECT digest, erased_time, last_time FROM erased_contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id) ORDER BY digest;

-- erased_counts: what they are counted with. Served by unique (account, campaign_activity_id) and the primary key.
SELECT campaign_activity_id, type, detail, total, contacts, last_time
FROM campaign_activity CROSS JOIN erased_stats ON erased_stats.campaign_activity = campaign_activity.key
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
ORDER BY campaign_activity_id, type, detail;

-- erased_hours: in which hours they are counted. Served by the same.
SELECT campaign_activity_id, hour, type, total
FROM campaign_activity CROSS JOIN erased_hour ON erased_hour.campaign_activity = campaign_activity.key
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
ORDER BY campaign_activity_id, hour, type;

-- erased_links: how many of them clicked which links. Served by the same.
SELECT campaign_activity_id, link_url, url_id, sum(contacts)
FROM campaign_activity
CROSS JOIN erased_link ON erased_link.campaign_activity = campaign_activity.key
CROSS JOIN link ON link.key = erased_link.link
WHERE campaign_activity.account = (SELECT key FROM account WHERE account_id = :account_id)
GROUP BY campaign_activity_id, link_url, url_id
ORDER BY campaign_activity_id, link_url, url_id;

-- forget_stats: make room for other counts. Served by the primary key.
DELETE FROM erased_stats WHERE campaign_activity = ?;

-- forget_hours: the same. Served by the primary key.
DELETE FROM erased_hour WHERE campaign_activity = ?;

-- forget_links: the same. Served by the primary key.
DELETE FROM erased_link WHERE campaign_activity = ?;

-- remove_emptied_links: links without an address and an id, which stay for the sake of a count only. Served by
-- link_by_campaign_activity.
DELETE FROM link WHERE campaign_activity = ? AND link_url IS NULL AND url_id IS NULL;

-- are_any: whether anybody was ever erased. Served by the primary key.
SELECT EXISTS (SELECT 1 FROM erased_contact);

-- erased: who of these was erased, and until when what they did is refused. Served by the primary key.
SELECT digest, erased_time, last_time FROM carray(:digests) AS wanted
CROSS JOIN erased_contact ON erased_contact.digest = wanted.value;

-- every_erased: all erased contacts, to convert them.
SELECT digest, erased_time FROM erased_contact;

-- key_digest: a digest with a key in place of one without. Served by the primary key.
UPDATE erased_contact SET digest = ?, last_time = ? WHERE digest = ?;

-- counted_links: the links that erased contacts are counted with, to convert them.
SELECT campaign_activity, link FROM erased_link ORDER BY campaign_activity, link;

-- clicked_links: the links of a campaign activity that somebody clicked. Served by a range of the primary key.
SELECT DISTINCT link FROM clicked_link WHERE campaign_activity = ?;
