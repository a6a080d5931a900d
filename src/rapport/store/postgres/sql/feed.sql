-- head: Get the position after everything that is recorded. Served by the primary key.
SELECT pg_current_snapshot()::text || '@' || coalesce((SELECT max(number) FROM feed), 0)

-- add: Append what a transaction has recorded, account by account.
INSERT INTO feed (account_id, left_out, keys)
SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[])

-- prune: Delete old rows.
WITH deleted AS (
    DELETE FROM feed WHERE number <= (
        SELECT number FROM (
            SELECT number, recorded_time, sum(octet_length(keys)) OVER (ORDER BY number DESC) AS bytes FROM feed
        ) AS kept
        WHERE bytes > $1::bigint AND recorded_time < clock_timestamp() - interval '1 minute'
        ORDER BY number DESC LIMIT 1
    )
    RETURNING number
)
UPDATE feed_pruned SET number = greatest(number, (SELECT max(number) FROM deleted))
WHERE EXISTS (SELECT 1 FROM deleted)

-- find_by_contact: Find rows that may contain keys of a contact. Reads all rows.
SELECT number, keys FROM feed WHERE position($1::bytea IN keys) > 0

-- update_keys: Replace the keys of a row. Served by the primary key.
UPDATE feed SET keys = $2 WHERE number = $1

-- get_pruned: Get the number up to which rows were deleted.
SELECT number FROM feed_pruned

-- list_rows: List what was recorded between two positions, in a stable order. By feed_by_xid.
SELECT xid::text, number, account_id, left_out, keys, recorded_time > clock_timestamp() - interval '5 seconds'
FROM feed
WHERE xid >= pg_snapshot_xmin($1::text::pg_snapshot)
  AND NOT pg_visible_in_snapshot(xid, $1::text::pg_snapshot)
  AND pg_visible_in_snapshot(xid, $2::text::pg_snapshot)
  AND (xid, number) >= ($3::text::xid8, $4::bigint)
  AND account_id = ANY($5::text[])
ORDER BY feed.xid, number LIMIT $6

-- get_activities: Get activities with all details; missing profile fields are those of the contact. Only LEFT joins, as
-- the planner could start with another table. By primary keys: what isn't LEFT the planner may begin with.
SELECT requested.place, contact.contact_id, activity.created_time, activity.identity, activity.type,
       activity.event_id, activity.device_type, activity.bounce_code, activity.opt_out_reason,
       campaign_activity.campaign_activity_id, campaign_activity.campaign_activity_name, campaign.campaign_id,
       link.link_url, link.url_id, coalesce(person.email_address, contact.email_address),
       coalesce(person.first_name, contact.first_name), coalesce(person.last_name, contact.last_name)
FROM unnest($1::integer[], $2::bytea[], $3::smallint[], $4::timestamptz[], $5::bigint[])
     AS requested (place, contact, type, created_time, identity)
JOIN tracking_activity AS activity ON activity.contact = requested.contact AND activity.type = requested.type
 AND activity.created_time = requested.created_time AND activity.identity = requested.identity
LEFT JOIN contact ON contact.key = activity.contact
LEFT JOIN campaign_activity ON campaign_activity.key = activity.campaign_activity
LEFT JOIN campaign ON campaign.key = campaign_activity.campaign
LEFT JOIN link ON link.key = activity.link
LEFT JOIN person ON person.contact = activity.contact AND person.key = activity.person
