-- campaign_activity_key: which campaign activity is meant. Served by the unique keys.
SELECT campaign_activity.key
FROM account JOIN campaign_activity ON campaign_activity.account = account.key
WHERE account.account_id = $1 AND campaign_activity_id = $2

-- links: those of a campaign activity that go by a url_id: their own, or else their digest. Served by unique
-- (campaign_activity, digest).
SELECT key FROM link WHERE campaign_activity = $1 AND (url_id = $2 OR url_id IS NULL AND digest BETWEEN $3 AND $4)

-- tracking_page: a page. Served by one ordered range of tracking_activity_by_campaign_activity; of a cluster, by one
-- on every shard, and merged.
SELECT created_time, identity, contact, person, link, device_type, bounce_code, opt_out_reason
FROM tracking_activity
WHERE campaign_activity = $1 AND type = $2 AND created_time >= $3 AND (created_time, contact, identity) < ($4, $5, $6)
  :selected
ORDER BY created_time DESC, contact DESC, identity DESC LIMIT $7

-- of_links: of a page, only the clicks on some links. Served by the same range, of which all that is passed is read.
AND coalesce(link, 0) = ANY($8::bigint[])

-- of_bounce_codes: of a page, only some bounces; an unknown code is X. Served by the same range, read through.
AND ($8::integer >> coalesce(bounce_code, 5)::integer) & 1 = 1

-- contacts: who they are, and what is known of them now. Served by the primary key.
SELECT key, contact_id, email_address, first_name, last_name FROM contact WHERE key = ANY($1)

-- persons: what was said of contacts. Served by the primary key.
SELECT contact, key, email_address, first_name, last_name FROM person WHERE contact = ANY($1) AND key = ANY($2)

-- link_names: what links are called. Served by the primary key.
SELECT key, link_url, url_id FROM link WHERE key = ANY($1)

-- of_many_words: contacts of whom more than one thing was said. Served by the primary key.
SELECT contact FROM person WHERE contact = ANY($1) GROUP BY contact HAVING count(*) > 1

-- statements: all that was said of contacts until a time, and when. Served by the primary keys.
SELECT did.contact, did.created_time, did.identity, person.email_address, person.first_name, person.last_name
FROM tracking_activity AS did
JOIN person ON person.contact = did.contact AND person.key = did.person
WHERE did.contact = ANY($1) AND did.created_time <= $2
