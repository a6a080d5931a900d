-- has_merges: Check whether any contacts were ever merged. Served by the primary key.
SELECT EXISTS (SELECT 1 FROM merged_contact);

-- find_targets: Find the targets of merged ids. Served by the primary key.
SELECT merged_contact.contact_id, merged_into FROM carray(:contact_ids) AS requested
CROSS JOIN merged_contact ON merged_contact.account = :account AND merged_contact.contact_id = requested.value;

-- get_target: Get the id of the contact that an id was merged into. Served by the primary key.
SELECT merged_into FROM merged_contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id) AND contact_id = :contact_id;

-- list_old_ids: List the ids that were merged into a contact. Served by merged_contact_by_target.
SELECT contact_id FROM merged_contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id) AND merged_into = :merged_into
ORDER BY contact_id;

-- list: List the merges of an account by old id. Served by the primary key.
SELECT contact_id, merged_into FROM merged_contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id) AND contact_id > :after
ORDER BY contact_id LIMIT :limit;

-- add: Merge an id into a contact. Served by the primary key.
INSERT INTO merged_contact (account, contact_id, merged_into, merged_time)
VALUES (:account, :contact_id, :merged_into, :now);

-- move: Redirect the ids that were merged into a contact to another one. Served by merged_contact_by_target.
UPDATE merged_contact SET merged_into = :merged_into WHERE account = :account AND merged_into = :contact_id;

-- delete: Delete the merges into a contact, and return their ids. Served by merged_contact_by_target.
DELETE FROM merged_contact WHERE account = :account AND merged_into = :merged_into RETURNING contact_id;

-- move_messages: Redirect captured messages of a contact to another one. Served by captured_message_by_contact.
UPDATE captured_message SET contact_id = :merged_into WHERE account = :account AND contact_id = :contact_id;

-- get_contact: Get the key and attributes of a contact. Served by unique (account, contact_id).
SELECT key, facts, created_at, updated_at FROM contact WHERE account = :account AND contact_id = :contact_id;

-- list_activities: List all activities of a contact with all details, earliest first. Names of campaign activities are
-- left out, as they are stored with the times at which they were set. Served by the primary key.
SELECT created_time, identity, type, event_id, device_type, bounce_code, tracking_activity.opt_out_reason,
       campaign_activity.campaign_activity_id, NULL, NULL, link.link_url, link.url_id,
       iif(tracking_activity.person = 1 AND person.number IS NULL, contact.email_address, person.email_address),
       iif(tracking_activity.person = 1 AND person.number IS NULL, contact.first_name, person.first_name),
       iif(tracking_activity.person = 1 AND person.number IS NULL, contact.last_name, person.last_name)
FROM tracking_activity
JOIN contact ON contact.key = tracking_activity.contact
JOIN campaign_activity ON campaign_activity.key = tracking_activity.campaign_activity
LEFT JOIN link ON link.key = tracking_activity.link
LEFT JOIN person ON person.contact = tracking_activity.contact AND person.number = tracking_activity.person
WHERE tracking_activity.contact = :contact
ORDER BY created_time, identity;

-- list_keys: List the keys of a contact's activities. Served by the primary key.
SELECT type, created_time, identity, event_id IS NOT NULL FROM tracking_activity WHERE contact = :contact;

-- decrement_stats: Decrement the stats of a campaign activity. Served by the primary key.
UPDATE campaign_activity_stats SET total = total - ?4, contacts = contacts - ?5
WHERE campaign_activity = ?1 AND type = ?2 AND detail = ?3;

-- decrement_hours: Decrement the hours of a campaign activity. Served by the primary key.
UPDATE campaign_activity_hour SET total = total - ?4 WHERE campaign_activity = ?1 AND hour = ?2 AND type = ?3;

-- delete_empty_stats: Delete the stats without activities. Served by the primary key.
DELETE FROM campaign_activity_stats WHERE campaign_activity = ?1 AND type = ?2 AND detail = ?3 AND total = 0;

-- delete_empty_hours: Delete the hours without activities. Served by the primary key.
DELETE FROM campaign_activity_hour WHERE campaign_activity = ?1 AND hour = ?2 AND type = ?3 AND total = 0;

-- recount_last_time: Set the time of the last activity, that of erased contacts included. Served by a range of
-- tracking_activity_by_campaign_activity, latest first; for a detail, the range is read until the first with it. Details
-- are those of the roll-ups.
UPDATE campaign_activity_stats SET last_time = max(
    coalesce((
        SELECT created_time FROM tracking_activity AS activity
        WHERE activity.campaign_activity = ?1 AND activity.type = ?2
          AND CASE
              WHEN ?3 = -1 THEN true
              WHEN ?3 = 100 THEN opt_out_reason IN ('complaint', 'spam complaint', 'spam report')
              WHEN ?2 = 3 THEN bounce_code = ?3
              ELSE device_type = ?3
          END
        ORDER BY created_time DESC LIMIT 1
    ), 0),
    coalesce((SELECT last_time FROM erased_stats WHERE campaign_activity = ?1 AND type = ?2 AND detail = ?3), 0)
)
WHERE campaign_activity = ?1 AND type = ?2 AND detail = ?3;
