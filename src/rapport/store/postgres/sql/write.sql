-- account_key: the key of an account. Served by unique (account_id).
SELECT key FROM account WHERE account_id = $1

-- add_account: an account comes into being.
INSERT INTO account (account_id, created_time) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING key

-- known_campaign_activities: what is known of campaign activities. Served by unique (account, campaign_activity_id).
SELECT campaign_activity.key, campaign_activity_id, campaign_activity_name, name_time, campaign_id, campaign_time
FROM campaign_activity LEFT JOIN campaign ON campaign.key = campaign_activity.campaign
WHERE campaign_activity.account = $1 AND campaign_activity_id = ANY($2)

-- one_namer: nobody else adds names of the account until the transaction ends. Names get their keys in the order in which
-- they are first named, so that reports list them in that order; without the lock two transactions could deadlock.
SELECT pg_advisory_xact_lock($1)

-- add_campaign_activities: create campaign activities, in the order given. Served by unique (account,
-- campaign_activity_id).
INSERT INTO campaign_activity (account, campaign_activity_id)
SELECT $1, named.id FROM unnest($2::text[]) WITH ORDINALITY AS named (id, place) ORDER BY named.place
ON CONFLICT DO NOTHING

-- lock_campaign_activity: what is stated of one, which nobody else changes until this is over. By the primary key.
SELECT campaign_activity_name, name_time, campaign, campaign_time
FROM campaign_activity WHERE key = $1 FOR NO KEY UPDATE

-- state_campaign_activity: what is stated of one now.
UPDATE campaign_activity SET campaign_activity_name = $2, name_time = $3, campaign = $4, campaign_time = $5
WHERE key = $1

-- revise_campaign_activities: names that are remembered elsewhere have to be read again.
UPDATE revision SET number = number + 1 WHERE of = 'campaign_activity'

-- campaign: the key of a campaign. Served by unique (account, campaign_id).
SELECT key FROM campaign WHERE account = $1 AND campaign_id = $2

-- add_campaign: a campaign comes into being.
INSERT INTO campaign (account, campaign_id) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING key

-- known_links: the keys of links. Served by unique (campaign_activity, digest).
SELECT campaign_activity, digest, key FROM link WHERE campaign_activity = ANY($1) AND digest = ANY($2)

-- add_links: create links, in the order given: the first with an address names it. Served by unique (campaign_activity,
-- digest).
INSERT INTO link (campaign_activity, digest, link_url, url_id)
SELECT clicked.campaign_activity, clicked.digest, clicked.link_url, clicked.url_id
FROM unnest($1::bigint[], $2::bytea[], $3::text[], $4::text[])
     WITH ORDINALITY AS clicked (campaign_activity, digest, link_url, url_id, place)
ORDER BY clicked.place
ON CONFLICT DO NOTHING

-- add_contacts: contacts come into being.
INSERT INTO contact (key, account, contact_id, email_address, first_name, last_name)
SELECT named.key, named.account, named.contact_id, named.email_address, named.first_name, named.last_name
FROM unnest($1::bytea[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[])
     AS named (key, account, contact_id, email_address, first_name, last_name)
ORDER BY named.key
ON CONFLICT DO NOTHING

-- add_persons: what is said of contacts.
INSERT INTO person (contact, key, email_address, first_name, last_name)
SELECT said.contact, said.key, said.email_address, said.first_name, said.last_name
FROM unnest($1::bytea[], $2::bigint[], $3::text[], $4::text[], $5::text[])
     AS said (contact, key, email_address, first_name, last_name)
ORDER BY said.contact, said.key
ON CONFLICT DO NOTHING

-- known_contacts: what is known of contacts now. Served by the primary key.
SELECT key, email_address, first_name, last_name FROM contact WHERE key = ANY($1)

-- differing_contacts: contacts, 16 bytes of $1 each, of whom something else is known now than these texts say, a line
-- each; an empty line says nothing. Served by the primary key.
SELECT contact.key
FROM unnest(string_to_array($2::text, E'\n', ''), string_to_array($3::text, E'\n', ''),
            string_to_array($4::text, E'\n', '')) WITH ORDINALITY AS said (email_address, first_name, last_name, place)
JOIN contact ON contact.key = substring($1::bytea FROM 16 * place::integer - 15 FOR 16)
WHERE contact.email_address IS DISTINCT FROM coalesce(said.email_address, contact.email_address)
   OR contact.first_name IS DISTINCT FROM coalesce(said.first_name, contact.first_name)
   OR contact.last_name IS DISTINCT FROM coalesce(said.last_name, contact.last_name)

-- lock_contact: nobody else learns of the contact until this is over. Served by the primary key.
SELECT email_address, first_name, last_name FROM contact WHERE key = $1 FOR NO KEY UPDATE

-- learn_email_address: known now, unless a later activity or statement says another one; $4 is the time $3 in
-- milliseconds. Served by the primary keys.
UPDATE contact SET email_address = $2
WHERE key = $1
  AND ((facts #>> '{email_address,1}')::bigint > $4::bigint) IS NOT TRUE
  AND NOT EXISTS (
    SELECT 1 FROM person JOIN tracking_activity AS later
      ON later.contact = person.contact AND later.person = person.key
    WHERE person.contact = $1 AND person.email_address <> $2
      AND later.contact = $1 AND later.type BETWEEN 0 AND 9 AND later.created_time > $3
)
RETURNING key

-- learn_first_name: the same for the first name.
UPDATE contact SET first_name = $2
WHERE key = $1
  AND ((facts #>> '{first_name,1}')::bigint > $4::bigint) IS NOT TRUE
  AND NOT EXISTS (
    SELECT 1 FROM person JOIN tracking_activity AS later
      ON later.contact = person.contact AND later.person = person.key
    WHERE person.contact = $1 AND person.first_name <> $2
      AND later.contact = $1 AND later.type BETWEEN 0 AND 9 AND later.created_time > $3
)
RETURNING key

-- learn_last_name: the same for the last name.
UPDATE contact SET last_name = $2
WHERE key = $1
  AND ((facts #>> '{last_name,1}')::bigint > $4::bigint) IS NOT TRUE
  AND NOT EXISTS (
    SELECT 1 FROM person JOIN tracking_activity AS later
      ON later.contact = person.contact AND later.person = person.key
    WHERE person.contact = $1 AND person.last_name <> $2
      AND later.contact = $1 AND later.type BETWEEN 0 AND 9 AND later.created_time > $3
)
RETURNING key

-- stage: where many activities wait for the statement that adds them.
CREATE TEMPORARY TABLE staged_activity (
    created_time timestamptz, identity bigint, campaign_activity bigint, person bigint, link bigint, type smallint,
    device_type smallint, bounce_code smallint, contact bytea, opt_out_reason text, event_id text
) ON COMMIT DROP

-- add_staged_activities: records. One that is there already, by key or by event id, changes nothing.
INSERT INTO tracking_activity (
    created_time, identity, campaign_activity, person, link, type, device_type, bounce_code, contact,
    opt_out_reason, event_id
)
SELECT created_time, identity, campaign_activity, person, link, type, device_type, bounce_code, contact,
       opt_out_reason, event_id
FROM staged_activity
ORDER BY contact, type, created_time, identity
ON CONFLICT DO NOTHING
RETURNING contact, type, created_time, identity

-- add_activities: the same for a few, without staging.
INSERT INTO tracking_activity (
    created_time, identity, campaign_activity, person, link, type, device_type, bounce_code, contact,
    opt_out_reason, event_id
)
SELECT did.created_time, did.identity, did.campaign_activity, did.person, did.link, did.type, did.device_type,
       did.bounce_code, did.contact, did.opt_out_reason, did.event_id
FROM unnest(
    $1::timestamptz[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::smallint[], $7::smallint[],
    $8::smallint[], $9::bytea[], $10::text[], $11::text[]
) AS did (
    created_time, identity, campaign_activity, person, link, type, device_type, bounce_code, contact,
    opt_out_reason, event_id
)
ORDER BY did.contact, did.type, did.created_time, did.identity
ON CONFLICT DO NOTHING
RETURNING contact, type, created_time, identity

-- grow_engagement: what contacts did with campaign activities, in an order that all keep. Served by the primary key.
INSERT INTO engagement AS known (campaign_activity, type, contact, activities, last_time)
SELECT counted.campaign_activity, counted.type, counted.contact, counted.activities, counted.last_time
FROM unnest($1::bigint[], $2::smallint[], $3::bytea[], $4::bigint[], $5::timestamptz[])
     AS counted (campaign_activity, type, contact, activities, last_time)
ORDER BY counted.campaign_activity, counted.type, counted.contact
ON CONFLICT (campaign_activity, type, contact) DO UPDATE SET
    activities = known.activities + excluded.activities,
    last_time  = greatest(known.last_time, excluded.last_time)
RETURNING campaign_activity, type, contact, activities

-- stage_engagement: where much engagement waits for the statement that adds it.
CREATE TEMPORARY TABLE staged_engagement (
    last_time timestamptz, campaign_activity bigint, activities bigint, type smallint, contact bytea
) ON COMMIT DROP

-- grow_staged_engagement: the same for much, on one machine; tells of which there was some, which has become more than
-- one then. Served by the primary key.
WITH grown AS (
    INSERT INTO engagement AS known (campaign_activity, type, contact, activities, last_time)
    SELECT campaign_activity, type, contact, activities, last_time
    FROM staged_engagement
    ORDER BY campaign_activity, type, contact
    ON CONFLICT (campaign_activity, type, contact) DO UPDATE SET
        activities = known.activities + excluded.activities,
        last_time  = greatest(known.last_time, excluded.last_time)
    RETURNING campaign_activity, type, contact, activities
)
SELECT campaign_activity, type, contact
FROM grown JOIN staged_engagement AS counted USING (campaign_activity, type, contact)
WHERE grown.activities > 1 AND grown.activities <> counted.activities

-- known_engagement: the places of rows that are there already: of each campaign activity and type those from one place to
-- another, whose contacts are 16 bytes of $5 each. One look-up by the primary key each, in its order: a join would be
-- planned without knowing how many they are. Arrays of all rows would cost more than the look-ups.
SELECT place
FROM unnest($1::bigint[], $2::smallint[], $3::integer[], $4::integer[])
     AS counted (campaign_activity, type, first_place, last_place)
CROSS JOIN generate_series(first_place, last_place) AS place
WHERE (
    SELECT activities FROM engagement
    WHERE engagement.campaign_activity = counted.campaign_activity AND engagement.type = counted.type
      AND engagement.contact = substring($5::bytea FROM 16 * place + 1 FOR 16)
) IS NOT NULL

-- grow_bounced_contact: with which codes mail came back. Served by the primary key.
INSERT INTO bounced_contact AS known (campaign_activity, bounce_code, contact, activities)
SELECT counted.campaign_activity, counted.bounce_code, counted.contact, counted.activities
FROM unnest($1::bigint[], $2::smallint[], $3::bytea[], $4::bigint[])
     AS counted (campaign_activity, bounce_code, contact, activities)
ORDER BY counted.campaign_activity, counted.bounce_code, counted.contact
ON CONFLICT (campaign_activity, bounce_code, contact) DO UPDATE SET
    activities = known.activities + excluded.activities
RETURNING campaign_activity, bounce_code, contact, activities

-- add_clicked_links: who clicked which link. Served by the primary key.
INSERT INTO clicked_link (campaign_activity, link, contact)
SELECT clicked.campaign_activity, clicked.link, clicked.contact
FROM unnest($1::bigint[], $2::bigint[], $3::bytea[]) AS clicked (campaign_activity, link, contact)
ORDER BY clicked.campaign_activity, clicked.link, clicked.contact
ON CONFLICT (campaign_activity, link, contact) DO NOTHING

-- grow_stats: the totals of campaign activities, in their buckets. Served by the primary key.
INSERT INTO campaign_activity_stats AS known (campaign_activity, type, detail, bucket, total, contacts, last_time)
SELECT counted.campaign_activity, counted.type, counted.detail, counted.bucket, counted.total,
       counted.contacts, counted.last_time
FROM unnest(
    $1::bigint[], $2::smallint[], $3::smallint[], $4::bigint[], $5::bigint[], $6::timestamptz[], $7::bytea[]
) AS counted (campaign_activity, type, detail, total, contacts, last_time, bucket)
ORDER BY counted.bucket, counted.campaign_activity, counted.type, counted.detail
ON CONFLICT (campaign_activity, type, detail, bucket) DO UPDATE SET
    total     = known.total + excluded.total,
    contacts  = known.contacts + excluded.contacts,
    last_time = greatest(known.last_time, excluded.last_time)

-- grow_hours: how many in an hour, in their buckets. Served by the primary key.
INSERT INTO campaign_activity_hour AS known (campaign_activity, hour, type, bucket, total)
SELECT counted.campaign_activity, counted.hour, counted.type, counted.bucket, counted.total
FROM unnest($1::bigint[], $2::timestamptz[], $3::smallint[], $4::bigint[], $5::bytea[])
     AS counted (campaign_activity, hour, type, total, bucket)
ORDER BY counted.bucket, counted.campaign_activity, counted.hour, counted.type
ON CONFLICT (campaign_activity, hour, type, bucket) DO UPDATE SET total = known.total + excluded.total

-- count_request: one more request of a client; beyond $4 in its second, the day's count stays.
INSERT INTO request_count AS counted (client_id, second, in_second, day, in_day) VALUES ($1, $2, 1, $3, 1)
ON CONFLICT (client_id) DO UPDATE SET
    second    = excluded.second,
    in_second = CASE WHEN counted.second = excluded.second THEN counted.in_second + 1 ELSE 1 END,
    day       = excluded.day,
    in_day    = CASE WHEN counted.day <> excluded.day THEN 1
                     WHEN counted.second = excluded.second AND counted.in_second >= $4 THEN counted.in_day
                     ELSE counted.in_day + 1 END
RETURNING in_second, in_day

-- add_secret: a secret comes into being, unless there is one.
INSERT INTO secret (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING name

-- replace_secret: another in the place of one.
UPDATE secret SET value = $3 WHERE name = $1 AND value = $2 RETURNING name

-- secret: a secret, as the connection that writes sees it. Served by the primary key.
SELECT value FROM secret WHERE name = $1

-- check_readiness: a row that is written to find out whether the database takes writes. Served by the primary key.
INSERT INTO readiness (of, checked_time) VALUES ('server', $1)
ON CONFLICT (of) DO UPDATE SET checked_time = excluded.checked_time

-- forbidden: the tables that the user may not write to.
SELECT name FROM unnest($1::text[]) AS written (name)
WHERE NOT (has_table_privilege(name, 'INSERT') AND has_table_privilege(name, 'UPDATE')
           AND has_table_privilege(name, 'DELETE'))
ORDER BY name
