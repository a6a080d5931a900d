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
FROM tracking_activity AS chosen
WHERE campaign_activity = $1 AND type = $2 AND created_time >= $3 AND (created_time, contact, identity) < ($4, $5, $6)
  :selected
ORDER BY created_time DESC, contact DESC, identity DESC LIMIT $7

-- of_links: of a page, only the clicks on some links. Served by the same range, of which all that is passed is read.
AND coalesce(link, 0) = ANY($8::bigint[])

-- of_bounce_codes: of a page, only some bounces; an unknown code is X. Served by the same range, read through.
AND ($8::integer >> coalesce(bounce_code, 5)::integer) & 1 = 1

-- last_of_contact: of a page, only each contact's last. Every row of the range is looked up in the engagement. coalesce
-- changes nothing but the planner's mind, which otherwise thinks that next to no row passes, and reads and sorts all.
AND coalesce(created_time = (
    SELECT last_time FROM engagement
    WHERE engagement.campaign_activity = chosen.campaign_activity AND engagement.type = chosen.type
      AND engagement.contact = chosen.contact
) AND identity = (
    SELECT max(tie.identity) FROM tracking_activity AS tie
    WHERE tie.contact = chosen.contact AND tie.type = chosen.type AND tie.created_time = chosen.created_time
      AND tie.campaign_activity = chosen.campaign_activity
), false)

-- unanswered: the same, and only where the contact neither opened it (1) nor did it come back (3).
AND coalesce(created_time = (
    SELECT last_time FROM engagement
    WHERE engagement.campaign_activity = chosen.campaign_activity AND engagement.type = chosen.type
      AND engagement.contact = chosen.contact
) AND identity = (
    SELECT max(tie.identity) FROM tracking_activity AS tie
    WHERE tie.contact = chosen.contact AND tie.type = chosen.type AND tie.created_time = chosen.created_time
      AND tie.campaign_activity = chosen.campaign_activity
) AND (
    SELECT count(*) FROM engagement
    WHERE engagement.campaign_activity = chosen.campaign_activity AND engagement.type IN (1, 3)
      AND engagement.contact = chosen.contact
) = 0, false)

-- last_of_contact_and_link: of a page, only each contact's last click on each link. Every row of the range is compared
-- with the contact's later ones.
AND coalesce((
    SELECT count(*) FROM tracking_activity AS later
    WHERE later.contact = chosen.contact AND later.type = chosen.type
      AND (later.created_time, later.identity) > (chosen.created_time, chosen.identity)
      AND later.campaign_activity = chosen.campaign_activity AND later.link IS NOT DISTINCT FROM chosen.link
) = 0, false)

-- of_contacts: of a page, only contacts that are called so. Every row of the range is looked up by the primary key.
AND coalesce((
    SELECT strpos(lower(concat_ws(' ', first_name, last_name, email_address) COLLATE "C"), $8) FROM contact
    WHERE contact.key = chosen.contact
) > 0, false)

-- link_groups: the links of a campaign activity, those with the same address, or without one and with the same id, as
-- one: the key of the first, and all keys. Served by unique (campaign_activity, digest).
SELECT min(key), array_agg(key) FROM link WHERE campaign_activity = $1
GROUP BY link_url, CASE WHEN link_url IS NULL THEN url_id END

-- link_clickers: how many contacts clicked them. Served by one range of the primary key.
SELECT link, count(*) FROM clicked_link WHERE campaign_activity = $1 GROUP BY link

-- erased_clickers: how many contacts clicked them that were erased. Served by one range of the primary key.
SELECT link, sum(contacts)::bigint FROM erased_link WHERE campaign_activity = $1 GROUP BY link

-- clickers_of_links: how many contacts clicked any of some links. Served by ranges of the primary key.
SELECT count(DISTINCT contact) FROM clicked_link WHERE campaign_activity = $1 AND link = ANY($2)

-- contacts: who they are, what is known of them now, and all that was said of them: a row for each of that. Served by
-- the primary keys. One statement, as a cluster asks all shards by each.
SELECT contact.key, contact_id, deleted_at, contact.email_address, contact.first_name, contact.last_name,
       person.key, person.email_address, person.first_name, person.last_name
FROM contact LEFT JOIN person ON person.contact = contact.key
WHERE contact.key = ANY($1)

-- link_names: what links are called. Served by the primary key.
SELECT key, link_url, url_id FROM link WHERE key = ANY($1)

-- statements: all that was said of contacts until a time, and when. Served by the primary keys.
SELECT did.contact, did.created_time, did.identity, person.email_address, person.first_name, person.last_name
FROM tracking_activity AS did
JOIN person ON person.contact = did.contact AND person.key = did.person
WHERE did.contact = ANY($1) AND did.created_time <= $2
