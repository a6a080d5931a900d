-- end: the number of what was recorded last. Served by the primary key.
SELECT coalesce(max(number), 0) FROM feed;

-- add: what a transaction has recorded.
INSERT INTO feed (number, account_id, left_out, keys)
VALUES (coalesce((SELECT max(number) FROM feed), 0) + ?, ?, ?, ?);

-- prune: what is so old that it isn't held. Served by the primary key.
DELETE FROM feed WHERE number <= (SELECT max(number) FROM feed) - :held;

-- oldest: where the feed begins. Served by the primary key.
SELECT number, length(keys) FROM feed ORDER BY number LIMIT 1;

-- of_contact: rows that may hold keys of a contact. All that are held are looked at.
SELECT number, keys FROM feed WHERE instr(keys, :contact) > 0;

-- replace: other keys in the place of a row's. Served by the primary key.
UPDATE feed SET keys = ? WHERE number = ?;

-- rows: what was recorded between two positions. Served by the primary key.
SELECT number, account_id, left_out, keys FROM feed
WHERE number > :after AND number <= :until AND account_id IN carray(:account_ids)
ORDER BY number LIMIT :limit;

-- activity: one of the feed, whole; of a contact what the activity says, and else what is known. By the primary keys.
SELECT tracking_activity.contact, type, created_time, identity, contact.contact_id,
       event_id, device_type, bounce_code, tracking_activity.opt_out_reason,
       campaign_activity.campaign_activity_id, campaign_activity.campaign_activity_name, campaign.campaign_id,
       link.link_url, link.url_id, coalesce(person.email_address, contact.email_address),
       coalesce(person.first_name, contact.first_name), coalesce(person.last_name, contact.last_name)
FROM tracking_activity
JOIN contact ON contact.key = tracking_activity.contact
JOIN campaign_activity ON campaign_activity.key = tracking_activity.campaign_activity
LEFT JOIN campaign ON campaign.key = campaign_activity.campaign
LEFT JOIN link ON link.key = tracking_activity.link
LEFT JOIN person ON person.contact = tracking_activity.contact AND person.number = tracking_activity.person
WHERE tracking_activity.contact = ? AND type = ? AND created_time = ? AND identity = ?
  AND contact.account = (SELECT key FROM account WHERE account_id = ?);
