-- lock_against_writes: Keep all others from recording until the transaction ends, after those that are recording now.
LOCK TABLE erasure IN ACCESS EXCLUSIVE MODE

-- get_contact: Get a contact. Served by the primary key.
SELECT account, updated_at FROM contact WHERE key = $1

-- list_activities: List the counted columns of a contact's activities. Served by the primary key.
SELECT campaign_activity, type, contact, created_time, device_type, bounce_code, link, opt_out_reason
FROM tracking_activity WHERE contact = $1

-- list_links: List the links of a campaign activity. Served by unique (campaign_activity, digest).
SELECT key, link_url, url_id FROM link WHERE campaign_activity = $1

-- is_clicked_by_others: Check whether another contact clicked a link. Served by the primary key.
SELECT 1 FROM clicked_link WHERE campaign_activity = $1 AND link = $2 AND contact <> $3 LIMIT 1

-- add_stats: Add to the stats of erased contacts. Served by the primary key.
INSERT INTO erased_stats AS stored (campaign_activity, type, detail, bucket, total, contacts, last_time)
SELECT counted.campaign_activity, counted.type, counted.detail, $7::bytea, counted.total, counted.contacts,
       counted.last_time
FROM unnest($1::bigint[], $2::smallint[], $3::smallint[], $4::bigint[], $5::bigint[], $6::timestamptz[])
     AS counted (campaign_activity, type, detail, total, contacts, last_time)
ON CONFLICT (campaign_activity, type, detail, bucket) DO UPDATE SET
    total     = stored.total + excluded.total,
    contacts  = stored.contacts + excluded.contacts,
    last_time = greatest(stored.last_time, excluded.last_time)

-- add_hours: Add to the hours of erased contacts. Served by the primary key.
INSERT INTO erased_hour AS stored (campaign_activity, hour, type, bucket, total)
SELECT counted.campaign_activity, counted.hour, counted.type, $5::bytea, counted.total
FROM unnest($1::bigint[], $2::timestamptz[], $3::smallint[], $4::bigint[])
     AS counted (campaign_activity, hour, type, total)
ON CONFLICT (campaign_activity, hour, type, bucket) DO UPDATE SET total = stored.total + excluded.total

-- add_links: Add to the numbers of erased contacts that clicked links. Served by the primary key.
INSERT INTO erased_link AS stored (campaign_activity, link, bucket, contacts)
SELECT counted.campaign_activity, counted.link, $4::bytea, counted.contacts
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS counted (campaign_activity, link, contacts)
ON CONFLICT (campaign_activity, link, bucket) DO UPDATE SET contacts = stored.contacts + excluded.contacts

-- move_link: Add the erased contacts' count of one link to that of another. Served by the primary key.
INSERT INTO erased_link AS stored (campaign_activity, link, bucket, contacts)
SELECT campaign_activity, $3::bigint, bucket, contacts FROM erased_link WHERE campaign_activity = $1 AND link = $2
ON CONFLICT (campaign_activity, link, bucket) DO UPDATE SET contacts = stored.contacts + excluded.contacts

-- delete_link_counts: Delete the erased contacts' counts of links. Served by the primary key.
DELETE FROM erased_link WHERE campaign_activity = $1 AND link = ANY($2)

-- clear_links: Remove the addresses and ids of links. Digests of addresses have 16 bytes, the new ones have 8. Served
-- by the primary key.
UPDATE link SET link_url = NULL, url_id = NULL, digest = int8send(key) WHERE key = ANY($1)

-- delete_links: Delete links. Served by the primary key.
DELETE FROM link WHERE key = ANY($1)

-- delete_engagement: Delete the engagement of a contact with campaign activities by type. Served by the primary key.
DELETE FROM engagement WHERE contact = $3 AND (campaign_activity, type) IN (
    SELECT * FROM unnest($1::bigint[], $2::smallint[])
)

-- delete_bounced_contact: Delete the bounces of a contact by campaign activity and code. Served by the primary key.
DELETE FROM bounced_contact WHERE contact = $3 AND (campaign_activity, bounce_code) IN (
    SELECT * FROM unnest($1::bigint[], $2::smallint[])
)

-- delete_clicked_link: Delete the clicked links of a contact. Served by the primary key.
DELETE FROM clicked_link WHERE contact = $3 AND (campaign_activity, link) IN (
    SELECT * FROM unnest($1::bigint[], $2::bigint[])
)

-- delete_activities: Delete the activities of a contact. Served by the primary key.
DELETE FROM tracking_activity WHERE contact = $1

-- delete_profiles: Delete the profiles of a contact. Served by the primary key.
DELETE FROM person WHERE contact = $1

-- delete_contact: Delete a contact. Served by the primary key.
DELETE FROM contact WHERE key = $1

-- insert_tombstone: Refuse the activities of an erased contact until a time from now on. Served by the primary key.
INSERT INTO erased_contact AS stored (digest, account, erased_time, last_time) VALUES ($1, $2, $3, $4)
ON CONFLICT (digest) DO UPDATE SET
    erased_time = greatest(stored.erased_time, excluded.erased_time),
    last_time   = greatest(stored.last_time, excluded.last_time)

-- bump_version: Increment the erasure version, so that writers notice the erasure.
INSERT INTO erasure (erased_time) VALUES ($1)

-- export_contacts: List the erased contacts of an account. Reads all tombstones.
SELECT digest, erased_time, last_time FROM erased_contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id) ORDER BY digest

-- export_stats: List the stats of an account's erased contacts. Served by the unique and the primary key.
SELECT campaign_activity_id, type, detail, sum(total)::bigint, sum(contacts)::bigint, max(last_time)
FROM campaign_activity JOIN erased_stats ON erased_stats.campaign_activity = campaign_activity.key
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
GROUP BY campaign_activity_id, type, detail ORDER BY campaign_activity_id COLLATE "C", type, detail

-- export_hours: List the hours of an account's erased contacts. Served by the same.
SELECT campaign_activity_id, hour, type, sum(total)::bigint
FROM campaign_activity JOIN erased_hour ON erased_hour.campaign_activity = campaign_activity.key
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
GROUP BY campaign_activity_id, hour, type ORDER BY campaign_activity_id COLLATE "C", hour, type

-- export_links: List how many of an account's erased contacts clicked which links. Served by the same.
SELECT campaign_activity_id, link_url, url_id, sum(contacts)::bigint
FROM campaign_activity
JOIN erased_link ON erased_link.campaign_activity = campaign_activity.key
JOIN link ON link.key = erased_link.link
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
GROUP BY campaign_activity_id, link_url, url_id
ORDER BY campaign_activity_id COLLATE "C", link_url COLLATE "C" NULLS FIRST, url_id COLLATE "C" NULLS FIRST

-- delete_all_stats: Delete the stats of erased contacts, before others are imported. Served by the primary key.
DELETE FROM erased_stats WHERE campaign_activity = ANY($1)

-- delete_all_hours: Delete the hours of erased contacts, before others are imported. Served by the primary key.
DELETE FROM erased_hour WHERE campaign_activity = ANY($1)

-- delete_all_link_counts: Delete the link counts of erased contacts, before others are imported. Served by the primary
-- key.
DELETE FROM erased_link WHERE campaign_activity = ANY($1)

-- delete_cleared_links: Delete links without address and id, which exist only because of a count. Served by unique
-- (campaign_activity, digest).
DELETE FROM link WHERE campaign_activity = ANY($1) AND link_url IS NULL AND url_id IS NULL

-- get_version: Get the erasure version. No contact is erased until the transaction that reads it ends.
SELECT coalesce(max(number), 0) FROM erasure

-- has_tombstones: Check whether any contact was ever erased. Served by the primary key.
SELECT EXISTS (SELECT 1 FROM erased_contact)

-- find_tombstones: Find the tombstones with these digests. Served by the primary key.
SELECT digest, erased_time, last_time FROM erased_contact WHERE digest = ANY($1)

-- list_unkeyed: List the tombstones whose digests have no key. Part of a migration.
SELECT key, account, erased_time FROM unkeyed_erased_contact

-- drop_unkeyed: Drop the digests without a key. Part of a migration.
DROP TABLE unkeyed_erased_contact

-- list_counted_links: List the links that erased contacts clicked. Part of a migration.
SELECT DISTINCT campaign_activity, link FROM erased_link

-- list_clicked_links: List the clicked links of a campaign activity. Part of a migration. Served by a range of the
-- primary key.
SELECT DISTINCT link FROM clicked_link WHERE campaign_activity = $1
