-- contact: which contact is meant. Served by unique (account_id) and unique (account, contact_id).
SELECT contact.key, contact.account
FROM account JOIN contact ON contact.account = account.key
WHERE account.account_id = :account_id AND contact.contact_id = :contact_id;

-- activities: what the contact was counted with. Served by the primary key.
SELECT campaign_activity, type, contact, created_time, device_type, bounce_code, link
FROM tracking_activity WHERE contact = :contact;

-- links: what links are called. Served by link_by_campaign_activity.
SELECT key, link_url, url_id FROM link WHERE campaign_activity = :campaign_activity;

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
INSERT INTO erased_contact (digest, account, erased_time) VALUES (:digest, :account, :erased_time)
ON CONFLICT DO UPDATE SET erased_time = max(erased_time, excluded.erased_time);

-- erased_contacts: who of an account was erased. Every one that ever was is looked at.
SELECT digest, erased_time FROM erased_contact
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
SELECT campaign_activity_id, link_url, url_id, contacts
FROM campaign_activity
CROSS JOIN erased_link ON erased_link.campaign_activity = campaign_activity.key
CROSS JOIN link ON link.key = erased_link.link
WHERE campaign_activity.account = (SELECT key FROM account WHERE account_id = :account_id)
ORDER BY campaign_activity_id, link_url, url_id;

-- put_stats: what the erased are counted with, in the place of what was there. Served by the primary key.
INSERT INTO erased_stats (campaign_activity, type, detail, total, contacts, last_time) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET total = excluded.total, contacts = excluded.contacts, last_time = excluded.last_time;

-- put_hours: the same for the hours. Served by the primary key.
INSERT INTO erased_hour (campaign_activity, hour, type, total) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET total = excluded.total;

-- put_link: how many clicked a link, in the place of what was there. Served by the primary key.
INSERT INTO erased_link (campaign_activity, link, contacts) VALUES (?, ?, ?)
ON CONFLICT DO UPDATE SET contacts = excluded.contacts;

-- are_any: whether anybody was ever erased. Served by the primary key.
SELECT EXISTS (SELECT 1 FROM erased_contact);

-- erased: who of these was erased, and until when what they did is refused. Served by the primary key.
SELECT digest, erased_time FROM carray(:digests) AS wanted
CROSS JOIN erased_contact ON erased_contact.digest = wanted.value;
