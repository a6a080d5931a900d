-- get_campaign_activities: Get the keys, names and campaigns of campaign activities. Served by unique (account,
-- campaign_activity_id).
SELECT campaign_activity.key, campaign_activity_id, campaign_activity_name, name_time, campaign_id, campaign_time
FROM campaign_activity LEFT JOIN campaign ON campaign.key = campaign_activity.campaign
WHERE campaign_activity.account = $1 AND campaign_activity_id = ANY($2)

-- lock_names: Wait until no other transaction creates names of the account. Names get their keys in the order in which
-- they are first used, and reports list them in that order. Without the lock, transactions could deadlock.
SELECT pg_advisory_xact_lock($1)

-- add_campaign_activities: Create campaign activities in order. Served by unique (account, campaign_activity_id).
INSERT INTO campaign_activity (account, campaign_activity_id)
SELECT $1, input.id FROM unnest($2::text[]) WITH ORDINALITY AS input (id, place) ORDER BY input.place
ON CONFLICT DO NOTHING

-- lock_campaign_activity: Get the name and campaign of a campaign activity, and lock it until the transaction ends. By
-- the primary key.
SELECT campaign_activity_name, name_time, campaign, campaign_time
FROM campaign_activity WHERE key = $1 FOR NO KEY UPDATE

-- update_campaign_activity: Set the name and campaign of a campaign activity.
UPDATE campaign_activity SET campaign_activity_name = $2, name_time = $3, campaign = $4, campaign_time = $5
WHERE key = $1

-- bump_names_revision: Invalidate cached names.
UPDATE revision SET number = number + 1 WHERE of = 'campaign_activity'

-- get_campaign: Get the key of a campaign. Served by unique (account, campaign_id).
SELECT key FROM campaign WHERE account = $1 AND campaign_id = $2

-- add_campaign: Create a campaign.
INSERT INTO campaign (account, campaign_id) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING key

-- get_links: Get the keys of links. Served by unique (campaign_activity, digest).
SELECT campaign_activity, digest, key FROM link WHERE campaign_activity = ANY($1) AND digest = ANY($2)

-- add_links: Create links in order: the first with an address gives the url_id. Served by unique (campaign_activity,
-- digest).
INSERT INTO link (campaign_activity, digest, link_url, url_id)
SELECT click.campaign_activity, click.digest, click.link_url, click.url_id
FROM unnest($1::bigint[], $2::bytea[], $3::text[], $4::text[])
     WITH ORDINALITY AS click (campaign_activity, digest, link_url, url_id, place)
ORDER BY click.place
ON CONFLICT DO NOTHING

-- add_contacts: Create contacts.
INSERT INTO contact (
    key, account, contact_id, email_address, first_name, last_name, created_at, updated_at
)
SELECT input.key, input.account, input.contact_id, input.email_address, input.first_name, input.last_name,
       input.created_at, input.updated_at
FROM unnest($1::bytea[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
            $8::timestamptz[])
     AS input (key, account, contact_id, email_address, first_name, last_name, created_at, updated_at)
ORDER BY input.key
ON CONFLICT DO NOTHING
RETURNING key

-- add_profiles: Add profiles of contacts.
INSERT INTO person (contact, key, email_address, first_name, last_name)
SELECT profile.contact, profile.key, profile.email_address, profile.first_name, profile.last_name
FROM unnest($1::bytea[], $2::bigint[], $3::text[], $4::text[], $5::text[])
     AS profile (contact, key, email_address, first_name, last_name)
ORDER BY profile.contact, profile.key
ON CONFLICT DO NOTHING

-- get_contacts: Get the keys and profiles of contacts. Served by the primary key.
SELECT key, email_address, first_name, last_name FROM contact WHERE key = ANY($1)

-- find_differing_contacts: Find contacts, 16 bytes of $1 each, whose profile differs from the lines of these texts; an
-- empty line doesn't differ. Served by the primary key.
SELECT contact.key
FROM unnest(string_to_array($2::text, E'\n', ''), string_to_array($3::text, E'\n', ''),
            string_to_array($4::text, E'\n', '')) WITH ORDINALITY AS profile (email_address, first_name, last_name, place)
JOIN contact ON contact.key = substring($1::bytea FROM 16 * place::integer - 15 FOR 16)
WHERE contact.email_address IS DISTINCT FROM coalesce(profile.email_address, contact.email_address)
   OR contact.first_name IS DISTINCT FROM coalesce(profile.first_name, contact.first_name)
   OR contact.last_name IS DISTINCT FROM coalesce(profile.last_name, contact.last_name)

-- lock_contact: Get a contact's profile, and lock the contact until the transaction ends. Served by the primary key.
SELECT email_address, first_name, last_name FROM contact WHERE key = $1 FOR NO KEY UPDATE

-- set_email_address: Set the email address, unless a later activity or update has another one. Served by the primary
-- keys.
UPDATE contact SET email_address = $2
WHERE key = $1
  AND ((facts #>> '{email_address,1}')::bigint > $4::bigint) IS NOT TRUE
  AND NOT EXISTS (
    SELECT 1 FROM person JOIN tracking_activity AS later
      ON later.contact = person.contact AND later.person = person.key
    WHERE person.contact = $1 AND person.email_address IS NOT NULL AND person.email_address IS DISTINCT FROM $2
      AND later.contact = $1 AND later.type BETWEEN 0 AND 9 AND later.created_time > $3
)
RETURNING key

-- set_first_name: Set the first name in the same way.
UPDATE contact SET first_name = $2
WHERE key = $1
  AND ((facts #>> '{first_name,1}')::bigint > $4::bigint) IS NOT TRUE
  AND NOT EXISTS (
    SELECT 1 FROM person JOIN tracking_activity AS later
      ON later.contact = person.contact AND later.person = person.key
    WHERE person.contact = $1 AND person.first_name IS NOT NULL AND person.first_name IS DISTINCT FROM $2
      AND later.contact = $1 AND later.type BETWEEN 0 AND 9 AND later.created_time > $3
)
RETURNING key

-- set_last_name: Set the last name in the same way.
UPDATE contact SET last_name = $2
WHERE key = $1
  AND ((facts #>> '{last_name,1}')::bigint > $4::bigint) IS NOT TRUE
  AND NOT EXISTS (
    SELECT 1 FROM person JOIN tracking_activity AS later
      ON later.contact = person.contact AND later.person = person.key
    WHERE person.contact = $1 AND person.last_name IS NOT NULL AND person.last_name IS DISTINCT FROM $2
      AND later.contact = $1 AND later.type BETWEEN 0 AND 9 AND later.created_time > $3
)
RETURNING key

-- stage_activities: Create a temporary table for many activities.
CREATE TEMPORARY TABLE staged_activity (
    created_time timestamptz, identity bigint, campaign_activity bigint, person bigint, link bigint, type smallint,
    device_type smallint, bounce_code smallint, contact bytea, opt_out_reason text, event_id text
) ON COMMIT DROP

-- add_staged_activities: Insert activities from the temporary table, unless they exist. Returns the keys of the new
-- ones.
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

-- add_activities: Insert activities, unless they exist. Returns the keys of the new ones.
INSERT INTO tracking_activity (
    created_time, identity, campaign_activity, person, link, type, device_type, bounce_code, contact,
    opt_out_reason, event_id
)
SELECT activity.created_time, activity.identity, activity.campaign_activity, activity.person, activity.link, activity.type, activity.device_type,
       activity.bounce_code, activity.contact, activity.opt_out_reason, activity.event_id
FROM unnest(
    $1::timestamptz[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::smallint[], $7::smallint[],
    $8::smallint[], $9::bytea[], $10::text[], $11::text[]
) AS activity (
    created_time, identity, campaign_activity, person, link, type, device_type, bounce_code, contact,
    opt_out_reason, event_id
)
ORDER BY activity.contact, activity.type, activity.created_time, activity.identity
ON CONFLICT DO NOTHING
RETURNING contact, type, created_time, identity

-- increment_engagement: Increment engagement by contact. Served by the primary key.
INSERT INTO engagement AS stored (campaign_activity, type, contact, activities, last_time)
SELECT counted.campaign_activity, counted.type, counted.contact, counted.activities, counted.last_time
FROM unnest($1::bigint[], $2::smallint[], $3::bytea[], $4::bigint[], $5::timestamptz[])
     AS counted (campaign_activity, type, contact, activities, last_time)
ORDER BY counted.campaign_activity, counted.type, counted.contact
ON CONFLICT (campaign_activity, type, contact) DO UPDATE SET
    activities = stored.activities + excluded.activities,
    last_time  = greatest(stored.last_time, excluded.last_time)
RETURNING campaign_activity, type, contact, activities

-- stage_engagement: Create a temporary table for many rows of engagement.
CREATE TEMPORARY TABLE staged_engagement (
    last_time timestamptz, campaign_activity bigint, activities bigint, type smallint, contact bytea
) ON COMMIT DROP

-- increment_staged_engagement: Increment engagement from the temporary table, and return the keys that existed already,
-- which have more than was added to them. Served by the primary key.
WITH grown AS (
    INSERT INTO engagement AS stored (campaign_activity, type, contact, activities, last_time)
    SELECT campaign_activity, type, contact, activities, last_time
    FROM staged_engagement
    ORDER BY campaign_activity, type, contact
    ON CONFLICT (campaign_activity, type, contact) DO UPDATE SET
        activities = stored.activities + excluded.activities,
        last_time  = greatest(stored.last_time, excluded.last_time)
    RETURNING campaign_activity, type, contact, activities
)
SELECT campaign_activity, type, contact
FROM grown JOIN staged_engagement AS counted USING (campaign_activity, type, contact)
WHERE grown.activities > 1 AND grown.activities <> counted.activities

-- find_engagement: Find the indexes of existing rows. For each campaign activity and type, look up the contacts from
-- one index to another, 16 bytes of $5 each, one by one in the order of the primary key: the plan of a join would not
-- know how many they are, and arrays of all rows would cost more than the look-ups.
SELECT place
FROM unnest($1::bigint[], $2::smallint[], $3::integer[], $4::integer[])
     AS counted (campaign_activity, type, first_place, last_place)
CROSS JOIN generate_series(first_place, last_place) AS place
WHERE (
    SELECT activities FROM engagement
    WHERE engagement.campaign_activity = counted.campaign_activity AND engagement.type = counted.type
      AND engagement.contact = substring($5::bytea FROM 16 * place + 1 FOR 16)
) IS NOT NULL

-- increment_bounced_contact: Increment bounces by contact and code. Served by the primary key.
INSERT INTO bounced_contact AS stored (campaign_activity, bounce_code, contact, activities)
SELECT counted.campaign_activity, counted.bounce_code, counted.contact, counted.activities
FROM unnest($1::bigint[], $2::smallint[], $3::bytea[], $4::bigint[])
     AS counted (campaign_activity, bounce_code, contact, activities)
ORDER BY counted.campaign_activity, counted.bounce_code, counted.contact
ON CONFLICT (campaign_activity, bounce_code, contact) DO UPDATE SET
    activities = stored.activities + excluded.activities
RETURNING campaign_activity, bounce_code, contact, activities

-- add_clicked_links: Insert clicks of contacts on links, unless they exist. Served by the primary key.
INSERT INTO clicked_link (campaign_activity, link, contact)
SELECT click.campaign_activity, click.link, click.contact
FROM unnest($1::bigint[], $2::bigint[], $3::bytea[]) AS click (campaign_activity, link, contact)
ORDER BY click.campaign_activity, click.link, click.contact
ON CONFLICT (campaign_activity, link, contact) DO NOTHING

-- increment_stats: Increment the stats of campaign activities. Served by the primary key.
INSERT INTO campaign_activity_stats AS stored (campaign_activity, type, detail, bucket, total, contacts, last_time)
SELECT counted.campaign_activity, counted.type, counted.detail, counted.bucket, counted.total,
       counted.contacts, counted.last_time
FROM unnest(
    $1::bigint[], $2::smallint[], $3::smallint[], $4::bigint[], $5::bigint[], $6::timestamptz[], $7::bytea[]
) AS counted (campaign_activity, type, detail, total, contacts, last_time, bucket)
ORDER BY counted.bucket, counted.campaign_activity, counted.type, counted.detail
ON CONFLICT (campaign_activity, type, detail, bucket) DO UPDATE SET
    total     = stored.total + excluded.total,
    contacts  = stored.contacts + excluded.contacts,
    last_time = greatest(stored.last_time, excluded.last_time)

-- increment_hours: Increment the hours of campaign activities. Served by the primary key.
INSERT INTO campaign_activity_hour AS stored (campaign_activity, hour, type, bucket, total)
SELECT counted.campaign_activity, counted.hour, counted.type, counted.bucket, counted.total
FROM unnest($1::bigint[], $2::timestamptz[], $3::smallint[], $4::bigint[], $5::bytea[])
     AS counted (campaign_activity, hour, type, total, bucket)
ORDER BY counted.bucket, counted.campaign_activity, counted.hour, counted.type
ON CONFLICT (campaign_activity, hour, type, bucket) DO UPDATE SET total = stored.total + excluded.total
