-- get_shards: Get the shard of each key.
SELECT get_shard_id_for_distribution_column('tracking_activity', key) FROM unnest($1::bytea[]) AS requested (key)

-- list_placements: List the node of each shard.
SELECT shardid, groupid, nodename, nodeport
FROM pg_dist_shard JOIN pg_dist_placement USING (shardid) JOIN pg_dist_node USING (groupid)
WHERE logicalrelid = 'tracking_activity'::regclass AND noderole = 'primary'

-- check_node: Check on a new connection whether a node responds, within citus.node_connection_timeout.
SELECT citus_check_connection_to_node($1, $2)

-- lock_against_erasure: Keep contacts on these shards from being erased until the transaction ends.
SELECT pg_advisory_xact_lock_shared(1163022657, shard) FROM unnest($1::integer[]) AS touched (shard) ORDER BY shard

-- lock_against_writes: Keep others from recording on this shard until the transaction ends, after those that are
-- recording now.
SELECT pg_advisory_xact_lock(1163022657, $1)

-- get_activities: Get activities with all details, as in feed.sql. The last condition limits the query to their shards.
-- By primary keys.
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
WHERE activity.contact = ANY($2)

-- lock_against_verification: Keep the table of erasures from being locked until the transaction ends.
LOCK TABLE erasure IN ROW EXCLUSIVE MODE

-- lock_contacts: Lock a contact until the transaction ends. Served by the primary key.
SELECT key FROM contact WHERE key = $1 FOR NO KEY UPDATE

-- get_permissions: Get the stored permission of a contact, and what it is derived from. Served by the primary keys.
SELECT contact.key, facts::text, permission_to_send, opt_out_date, opt_out_source, contact.opt_out_reason,
       opted_out.created_time, opted_out.opt_out_reason, signed_up.created_time, account_id, contact_id
FROM contact JOIN account ON account.key = contact.account
LEFT JOIN LATERAL (
    SELECT created_time, opt_out_reason FROM tracking_activity AS activity WHERE activity.contact = $1 AND activity.type = 4
    ORDER BY created_time DESC, identity DESC LIMIT 1
) AS opted_out ON true
LEFT JOIN LATERAL (
    SELECT created_time FROM tracking_activity AS activity WHERE activity.contact = $1 AND activity.type = 8
    ORDER BY created_time DESC, identity DESC LIMIT 1
) AS signed_up ON true
WHERE contact.key = $1

-- update_permissions: Set the permission of a contact. Served by the primary key.
UPDATE contact SET permission_to_send = $2, opt_out_date = $3, opt_out_source = $4, opt_out_reason = $5 WHERE key = $1

-- has_clicked: Check whether a contact has clicked anything. Served by the primary key.
SELECT EXISTS (SELECT 1 FROM tracking_activity WHERE contact = $1 AND type = $2)

-- query_all_nodes: Run a query that involves every node.
SELECT count(*) FROM erased_link WHERE campaign_activity = 0

-- list_last_times: List the times of the last activities of contacts that no source has updated. A cluster supports no
-- LIMIT for each row of VALUES, and queries every shard unless the condition is repeated for each table. Served by the
-- primary keys.
SELECT requested.contact_id, greatest(
    (SELECT max(created_time) FROM tracking_activity
     WHERE contact = requested.key AND contact = ANY($1::bytea[]) AND type = 0),
    (SELECT max(created_time) FROM tracking_activity
     WHERE contact = requested.key AND contact = ANY($1::bytea[]) AND type = 1),
    (SELECT max(created_time) FROM tracking_activity
     WHERE contact = requested.key AND contact = ANY($1::bytea[]) AND type = 2),
    (SELECT max(created_time) FROM tracking_activity
     WHERE contact = requested.key AND contact = ANY($1::bytea[]) AND type = 3),
    (SELECT max(created_time) FROM tracking_activity
     WHERE contact = requested.key AND contact = ANY($1::bytea[]) AND type = 4),
    (SELECT max(created_time) FROM tracking_activity
     WHERE contact = requested.key AND contact = ANY($1::bytea[]) AND type = 5),
    (SELECT max(created_time) FROM tracking_activity
     WHERE contact = requested.key AND contact = ANY($1::bytea[]) AND type = 6),
    (SELECT max(created_time) FROM tracking_activity
     WHERE contact = requested.key AND contact = ANY($1::bytea[]) AND type = 7),
    (SELECT max(created_time) FROM tracking_activity
     WHERE contact = requested.key AND contact = ANY($1::bytea[]) AND type = 8),
    (SELECT max(created_time) FROM tracking_activity
     WHERE contact = requested.key AND contact = ANY($1::bytea[]) AND type = 9)
)
FROM contact AS requested
WHERE requested.key = ANY($1::bytea[]) AND requested.facts IS NULL
