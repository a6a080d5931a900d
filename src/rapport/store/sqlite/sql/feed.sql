-- head: Get the position after everything that is recorded. Served by the primary key.
SELECT coalesce(max(number), 0) FROM feed;

-- add: Append what a transaction has recorded, account by account.
INSERT INTO feed (number, account_id, left_out, keys)
VALUES (coalesce((SELECT max(number) FROM feed), 0) + ?, ?, ?, ?);

-- prune: Delete old rows. Served by the primary key.
DELETE FROM feed WHERE number <= (SELECT max(number) FROM feed) - :kept;

-- oldest: Get the oldest row. Served by the primary key.
SELECT number, length(keys) FROM feed ORDER BY number LIMIT 1;

-- find_by_contact: Find rows that may contain keys of a contact. Reads all rows.
SELECT number, keys FROM feed WHERE instr(keys, :contact) > 0;

-- update_keys: Replace the keys of a row. Served by the primary key.
UPDATE feed SET keys = ? WHERE number = ?;

-- list_rows: List what was recorded between two positions, in a stable order. Served by the primary key.
SELECT number, account_id, left_out, keys FROM feed
WHERE number > :after AND number <= :until AND account_id IN carray(:account_ids)
ORDER BY number LIMIT :limit;

-- get_activity: Get an activity with all details; missing profile fields are those of the contact. By the primary keys.
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
