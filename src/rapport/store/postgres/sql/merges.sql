-- find_targets: Find the targets of merged ids, given by the keys of contacts. Served by the primary key.
SELECT contact_id, merged_into FROM merged_contact WHERE key = ANY($1::bytea[])

-- get_target: Get the id of the contact that an id was merged into. Served by the primary key.
SELECT merged_into FROM merged_contact WHERE key = :contact

-- list_old_ids: List the ids that were merged into a contact. Served by merged_contact_by_target.
SELECT contact_id FROM merged_contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id) AND merged_into = :merged_into
ORDER BY contact_id

-- list: List the merges of an account by old id. Served by merged_contact_by_account.
SELECT contact_id, merged_into FROM merged_contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id) AND contact_id > :after
ORDER BY contact_id LIMIT :limit

-- add: Merge an id into a contact. Served by the primary key.
INSERT INTO merged_contact (key, account, contact_id, merged_into, merged_time) VALUES ($1, $2, $3, $4, $5)

-- move: Redirect the ids that were merged into a contact to another one. Served by merged_contact_by_target.
UPDATE merged_contact SET merged_into = $3 WHERE account = $1 AND merged_into = $2

-- delete: Delete the merges into a contact, and return their ids. Served by merged_contact_by_target.
DELETE FROM merged_contact WHERE account = $1 AND merged_into = $2 RETURNING contact_id

-- move_messages: Redirect captured messages of a contact to another one. Served by captured_message_by_contact.
UPDATE captured_message SET contact_id = $3 WHERE account = $1 AND contact_id = $2

-- get_contact: Get the attributes and times of a contact. Served by the primary key.
SELECT facts::text, created_at, updated_at FROM contact WHERE key = $1

-- list_activities: List all activities of a contact with all details, earliest first. Names of campaign activities are
-- left out, as they are stored with the times at which they were set. Served by the primary key.
SELECT activity.created_time, activity.identity, activity.type, event_id, device_type, bounce_code, opt_out_reason,
       campaign_activity.campaign_activity_id, NULL, NULL, link.link_url, link.url_id,
       person.email_address, person.first_name, person.last_name
FROM tracking_activity AS activity
LEFT JOIN campaign_activity ON campaign_activity.key = activity.campaign_activity
LEFT JOIN link ON link.key = activity.link
LEFT JOIN person ON person.contact = activity.contact AND person.key = activity.person
WHERE activity.contact = $1
ORDER BY activity.created_time, activity.identity

-- list_keys: List the keys of a contact's activities. Served by the primary key.
SELECT type, created_time, identity, event_id IS NOT NULL FROM tracking_activity WHERE contact = $1

-- sum_stats: Sum the stats of campaign activities over all buckets. Served by the primary key.
SELECT campaign_activity, type, detail, sum(total)::bigint FROM campaign_activity_stats
WHERE campaign_activity = ANY($1::bigint[]) GROUP BY campaign_activity, type, detail

-- delete_stats: Delete the stats of a detail. Served by the primary key.
DELETE FROM campaign_activity_stats WHERE campaign_activity = $1 AND type = $2 AND detail = $3

-- sum_hours: Sum the hours of campaign activities over all buckets. Served by the primary key.
SELECT campaign_activity, hour, type, sum(total)::bigint FROM campaign_activity_hour
WHERE campaign_activity = ANY($1::bigint[]) AND hour = ANY($2::timestamptz[]) GROUP BY campaign_activity, hour, type

-- delete_hours: Delete the counts of an hour. Served by the primary key.
DELETE FROM campaign_activity_hour WHERE campaign_activity = $1 AND hour = $2 AND type = $3

-- last_time: Get the time of the last activity of a detail. Served by tracking_activity_by_campaign_activity, latest
-- first; for other details, the range is read until the first with it.
SELECT created_time FROM tracking_activity
WHERE campaign_activity = $1::bigint AND type = $2::smallint
  AND CASE
      WHEN $3::smallint = -1 THEN true
      WHEN $3 = 100 THEN opt_out_reason IN ('complaint', 'spam complaint', 'spam report')
      WHEN type = 3 THEN bounce_code = $3
      ELSE device_type = $3
  END
ORDER BY created_time DESC LIMIT 1

-- erased_last_time: Get the time of the last activity of erased contacts. Served by the primary key.
SELECT max(last_time) FROM erased_stats WHERE campaign_activity = $1 AND type = $2 AND detail = $3

-- set_last_time: Lower the time of the last activity. Served by the primary key.
UPDATE campaign_activity_stats SET last_time = least(last_time, $4::timestamptz)
WHERE campaign_activity = $1 AND type = $2 AND detail = $3
