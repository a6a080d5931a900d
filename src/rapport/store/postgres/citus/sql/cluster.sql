-- shards: on which shard each key lies.
SELECT get_shard_id_for_distribution_column('tracking_activity', key) FROM unnest($1::bytea[]) AS asked (key)

-- placements: on which node each shard lies.
SELECT shardid, groupid, nodename, nodeport
FROM pg_dist_shard JOIN pg_dist_placement USING (shardid) JOIN pg_dist_node USING (groupid)
WHERE logicalrelid = 'tracking_activity'::regclass AND noderole = 'primary'

-- node_answers: whether a node answers, by a connection of its own; not later than citus.node_connection_timeout.
SELECT citus_check_connection_to_node($1, $2)

-- keep_erasers_out: nobody is erased on these shards until the transaction ends.
SELECT pg_advisory_xact_lock_shared(1163022657, shard) FROM unnest($1::integer[]) AS touched (shard) ORDER BY shard

-- keep_writers_out: nobody records on this shard until the transaction ends, and who is recording now has done so.
SELECT pg_advisory_xact_lock(1163022657, $1)

-- activities: some of the feed, whole, as in feed.sql; the last condition says which shards have them, or all would be
-- asked. By primary keys.
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
WHERE did.contact = ANY($2)

-- keep_recounts_out: nobody locks the table of erasures until the transaction ends.
LOCK TABLE erasure IN ROW EXCLUSIVE MODE

-- lock_contacts: nobody else changes this contact until the transaction ends. Served by the primary key.
SELECT key FROM contact WHERE key = $1 FOR NO KEY UPDATE

-- permissions: what the permission of a contact derives from, and what is stored. Served by the primary keys.
SELECT contact.key, facts::text, permission_to_send, opt_out_date, opt_out_source, contact.opt_out_reason,
       opted_out.created_time, opted_out.opt_out_reason, signed_up.created_time, account_id, contact_id
FROM contact JOIN account ON account.key = contact.account
LEFT JOIN LATERAL (
    SELECT created_time, opt_out_reason FROM tracking_activity AS did WHERE did.contact = $1 AND did.type = 4
    ORDER BY created_time DESC, identity DESC LIMIT 1
) AS opted_out ON true
LEFT JOIN LATERAL (
    SELECT created_time FROM tracking_activity AS did WHERE did.contact = $1 AND did.type = 8
    ORDER BY created_time DESC, identity DESC LIMIT 1
) AS signed_up ON true
WHERE contact.key = $1

-- update_permissions: the permission of a contact. Served by the primary key.
UPDATE contact SET permission_to_send = $2, opt_out_date = $3, opt_out_source = $4, opt_out_reason = $5 WHERE key = $1

-- has_clicked: whether the contact has clicked anything. Served by the primary key.
SELECT EXISTS (SELECT 1 FROM tracking_activity WHERE contact = $1 AND type = $2)

-- ask_all: every node takes part in the answer.
SELECT count(*) FROM erased_link WHERE campaign_activity = 0
