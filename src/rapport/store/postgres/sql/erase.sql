-- keep_writers_out: nobody records until this is over, and who is recording now has done so.
LOCK TABLE erasure IN ACCESS EXCLUSIVE MODE

-- contact: which contact is meant. Served by the primary key.
SELECT account, updated_at FROM contact WHERE key = $1

-- activities: what the contact was counted with. Served by the primary key.
SELECT campaign_activity, type, contact, created_time, device_type, bounce_code, link
FROM tracking_activity WHERE contact = $1

-- links: what links are called. Served by unique (campaign_activity, digest).
SELECT key, link_url, url_id FROM link WHERE campaign_activity = $1

-- clicked_by_another: whether somebody else clicked a link. Served by the primary key.
SELECT 1 FROM clicked_link WHERE campaign_activity = $1 AND link = $2 AND contact <> $3 LIMIT 1

-- keep_stats: counts that stay. Served by the primary key.
INSERT INTO erased_stats AS known (campaign_activity, type, detail, bucket, total, contacts, last_time)
SELECT counted.campaign_activity, counted.type, counted.detail, $7::bytea, counted.total, counted.contacts,
       counted.last_time
FROM unnest($1::bigint[], $2::smallint[], $3::smallint[], $4::bigint[], $5::bigint[], $6::timestamptz[])
     AS counted (campaign_activity, type, detail, total, contacts, last_time)
ON CONFLICT (campaign_activity, type, detail, bucket) DO UPDATE SET
    total     = known.total + excluded.total,
    contacts  = known.contacts + excluded.contacts,
    last_time = greatest(known.last_time, excluded.last_time)

-- keep_hours: the same for the hours. Served by the primary key.
INSERT INTO erased_hour AS known (campaign_activity, hour, type, bucket, total)
SELECT counted.campaign_activity, counted.hour, counted.type, $5::bytea, counted.total
FROM unnest($1::bigint[], $2::timestamptz[], $3::smallint[], $4::bigint[])
     AS counted (campaign_activity, hour, type, total)
ON CONFLICT (campaign_activity, hour, type, bucket) DO UPDATE SET total = known.total + excluded.total

-- keep_links: how many clicked links stays. Served by the primary key.
INSERT INTO erased_link AS known (campaign_activity, link, bucket, contacts)
SELECT counted.campaign_activity, counted.link, $4::bytea, counted.contacts
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS counted (campaign_activity, link, contacts)
ON CONFLICT (campaign_activity, link, bucket) DO UPDATE SET contacts = known.contacts + excluded.contacts

-- move_link: add what erased contacts are counted with for one link to another one. Served by the primary key.
INSERT INTO erased_link AS known (campaign_activity, link, bucket, contacts)
SELECT campaign_activity, $3::bigint, bucket, contacts FROM erased_link WHERE campaign_activity = $1 AND link = $2
ON CONFLICT (campaign_activity, link, bucket) DO UPDATE SET contacts = known.contacts + excluded.contacts

-- uncount_links: links that aren't counted any more. Served by the primary key.
DELETE FROM erased_link WHERE campaign_activity = $1 AND link = ANY($2)

-- empty_links: forget what links are called. Digests of addresses have 16 bytes, this one has 8. Served by the primary
-- key.
UPDATE link SET link_url = NULL, url_id = NULL, digest = int8send(key) WHERE key = ANY($1)

-- remove_links: forget links. Served by the primary key.
DELETE FROM link WHERE key = ANY($1)

-- erase_engagement: of campaign activities and types. Served by the primary key.
DELETE FROM engagement WHERE contact = $3 AND (campaign_activity, type) IN (
    SELECT * FROM unnest($1::bigint[], $2::smallint[])
)

-- erase_bounced_contact: of campaign activities and codes. Served by the primary key.
DELETE FROM bounced_contact WHERE contact = $3 AND (campaign_activity, bounce_code) IN (
    SELECT * FROM unnest($1::bigint[], $2::smallint[])
)

-- erase_clicked_link: of campaign activities and links. Served by the primary key.
DELETE FROM clicked_link WHERE contact = $3 AND (campaign_activity, link) IN (
    SELECT * FROM unnest($1::bigint[], $2::bigint[])
)

-- erase_activities: all that the contact did. Served by the primary key.
DELETE FROM tracking_activity WHERE contact = $1

-- erase_persons: all that was said of the contact. Served by the primary key.
DELETE FROM person WHERE contact = $1

-- erase_contact: the contact itself. Served by the primary key.
DELETE FROM contact WHERE key = $1

-- refuse: from now on, what the contact did until then. Served by the primary key.
INSERT INTO erased_contact AS known (digest, account, erased_time, last_time) VALUES ($1, $2, $3, $4)
ON CONFLICT (digest) DO UPDATE SET
    erased_time = greatest(known.erased_time, excluded.erased_time),
    last_time   = greatest(known.last_time, excluded.last_time)

-- tell_writers: those who record from now on see that somebody was erased.
INSERT INTO erasure (erased_time) VALUES ($1)

-- erased_contacts: who of an account was erased. Every one that ever was is looked at.
SELECT digest, erased_time, last_time FROM erased_contact
WHERE account = (SELECT key FROM account WHERE account_id = $1) ORDER BY digest

-- erased_counts: what they are counted with. Served by the unique and the primary key.
SELECT campaign_activity_id, type, detail, sum(total)::bigint, sum(contacts)::bigint, max(last_time)
FROM campaign_activity JOIN erased_stats ON erased_stats.campaign_activity = campaign_activity.key
WHERE account = (SELECT key FROM account WHERE account_id = $1)
GROUP BY campaign_activity_id, type, detail ORDER BY campaign_activity_id COLLATE "C", type, detail

-- erased_hours: in which hours they are counted. Served by the same.
SELECT campaign_activity_id, hour, type, sum(total)::bigint
FROM campaign_activity JOIN erased_hour ON erased_hour.campaign_activity = campaign_activity.key
WHERE account = (SELECT key FROM account WHERE account_id = $1)
GROUP BY campaign_activity_id, hour, type ORDER BY campaign_activity_id COLLATE "C", hour, type

-- erased_links: how many of them clicked which links. Served by the same.
SELECT campaign_activity_id, link_url, url_id, sum(contacts)::bigint
FROM campaign_activity
JOIN erased_link ON erased_link.campaign_activity = campaign_activity.key
JOIN link ON link.key = erased_link.link
WHERE account = (SELECT key FROM account WHERE account_id = $1)
GROUP BY campaign_activity_id, link_url, url_id
ORDER BY campaign_activity_id COLLATE "C", link_url COLLATE "C" NULLS FIRST, url_id COLLATE "C" NULLS FIRST

-- forget_stats: what was there before other counts are put there. Served by the primary key.
DELETE FROM erased_stats WHERE campaign_activity = ANY($1)

-- forget_hours: the same. Served by the primary key.
DELETE FROM erased_hour WHERE campaign_activity = ANY($1)

-- forget_links: the same. Served by the primary key.
DELETE FROM erased_link WHERE campaign_activity = ANY($1)

-- remove_emptied_links: links without an address and an id, which stay for the sake of a count only. Served by unique
-- (campaign_activity, digest).
DELETE FROM link WHERE campaign_activity = ANY($1) AND link_url IS NULL AND url_id IS NULL

-- erasures: how many there have been; whoever has asked keeps the next from happening until it is through.
SELECT coalesce(max(number), 0) FROM erasure

-- are_any: whether anybody was ever erased. Served by the primary key.
SELECT EXISTS (SELECT 1 FROM erased_contact)

-- erased: who of these was erased, and until when what they did is refused. Served by the primary key.
SELECT digest, erased_time, last_time FROM erased_contact WHERE digest = ANY($1)

-- unkeyed: erased contacts by digests without a key, to convert them.
SELECT key, account, erased_time FROM unkeyed_erased_contact

-- drop_unkeyed: the digests without a key, once they are converted.
DROP TABLE unkeyed_erased_contact

-- counted_links: the links that erased contacts are counted with, to convert them.
SELECT DISTINCT campaign_activity, link FROM erased_link

-- clicked_links: the links of a campaign activity that somebody clicked. Served by a range of the primary key.
SELECT DISTINCT link FROM clicked_link WHERE campaign_activity = $1
