-- end: what is committed now, and the highest number that is. Served by the primary key.
SELECT pg_current_snapshot()::text || '@' || coalesce((SELECT max(number) FROM feed), 0)

-- add: what a transaction has recorded, account by account. Its last statement, so that numbers are nearly in order.
INSERT INTO feed (account_id, left_out, keys)
SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[])

-- prune: all but the newest that have so many keys together, and what is so new that it may not be committed yet.
WITH gone AS (
    DELETE FROM feed WHERE number <= (
        SELECT number FROM (
            SELECT number, recorded_time, sum(octet_length(keys)) OVER (ORDER BY number DESC) AS bytes FROM feed
        ) AS held
        WHERE bytes > $1::bigint AND recorded_time < clock_timestamp() - interval '1 minute'
        ORDER BY number DESC LIMIT 1
    )
    RETURNING number
)
UPDATE feed_pruned SET number = greatest(number, (SELECT max(number) FROM gone))
WHERE EXISTS (SELECT 1 FROM gone)

-- of_contact: rows that may hold keys of a contact. All that are held are looked at.
SELECT number, keys FROM feed WHERE position($1::bytea IN keys) > 0

-- replace: other keys in the place of a row's. Served by the primary key.
UPDATE feed SET keys = $2 WHERE number = $1

-- pruned: up to which number rows are gone.
SELECT number FROM feed_pruned

-- rows: what one snapshot doesn't hold and another does, in an order that stays; behind a row of it. By feed_by_xid.
SELECT xid::text, number, account_id, left_out, keys, recorded_time > clock_timestamp() - interval '5 seconds'
FROM feed
WHERE xid >= pg_snapshot_xmin($1::text::pg_snapshot)
  AND NOT pg_visible_in_snapshot(xid, $1::text::pg_snapshot)
  AND pg_visible_in_snapshot(xid, $2::text::pg_snapshot)
  AND (xid, number) >= ($3::text::xid8, $4::bigint)
  AND account_id = ANY($5::text[])
ORDER BY feed.xid, number LIMIT $6

-- activities: some of the feed, whole; of a contact what the activity says, and else what is known. By primary keys:
-- what isn't LEFT the planner may begin with.
SELECT told.place, contact.contact_id, did.created_time, did.identity, did.type,
       did.event_id, did.device_type, did.bounce_code, did.opt_out_reason,
       campaign_activity.campaign_activity_id, campaign_activity.campaign_activity_name, campaign.campaign_id,
       link.link_url, link.url_id, coalesce(person.email_address, contact.email_address),
       coalesce(person.first_name, contact.first_name), coalesce(person.last_name, contact.last_name)
FROM unnest($1::integer[], $2::bytea[], $3::smallint[], $4::timestamptz[], $5::bigint[])
     AS told (place, contact, type, created_time, identity)
JOIN tracking_activity AS did ON did.contact = told.contact AND did.type = told.type
 AND did.created_time = told.created_time AND did.identity = told.identity
LEFT JOIN contact ON contact.key = did.contact
LEFT JOIN campaign_activity ON campaign_activity.key = did.campaign_activity
LEFT JOIN campaign ON campaign.key = campaign_activity.campaign
LEFT JOIN link ON link.key = did.link
LEFT JOIN person ON person.contact = did.contact AND person.key = did.person
