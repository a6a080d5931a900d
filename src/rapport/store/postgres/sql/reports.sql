-- get_activity_stats: Get the stats of campaign activities. Served by the unique keys and the primary key. The counts
-- are summed before they are joined, or a cluster would fetch those of all accounts.
SELECT campaign_activity_id, campaign_id, type, coalesce(detail, -1)::integer, coalesce(total, 0)::bigint,
       contacts::bigint, coalesce(last_time, '1970-01-01Z')
FROM campaign_activity
LEFT JOIN campaign ON campaign.key = campaign_activity.campaign
LEFT JOIN (
    SELECT campaign_activity, type, detail, sum(total) AS total, sum(contacts) AS contacts, max(last_time) AS last_time
    FROM campaign_activity_stats
    WHERE campaign_activity IN (
        SELECT campaign_activity.key
        FROM account JOIN campaign_activity ON campaign_activity.account = account.key
        WHERE account_id = :account_id AND campaign_activity_id = ANY(:ids)
    )
    GROUP BY campaign_activity, type, detail
) AS counted ON counted.campaign_activity = campaign_activity.key
WHERE campaign_activity.account = (SELECT key FROM account WHERE account_id = :account_id) AND campaign_activity_id = ANY(:ids)

-- get_campaign_stats: Get the stats of all campaign activities of campaigns. Served by campaign_activity_by_campaign in
-- addition.
SELECT campaign_activity_id, campaign_id, type, coalesce(detail, -1)::integer, coalesce(total, 0)::bigint,
       contacts::bigint, coalesce(last_time, '1970-01-01Z')
FROM campaign
JOIN campaign_activity ON campaign_activity.campaign = campaign.key
LEFT JOIN (
    SELECT campaign_activity, type, detail, sum(total) AS total, sum(contacts) AS contacts, max(last_time) AS last_time
    FROM campaign_activity_stats
    WHERE campaign_activity IN (
        SELECT campaign_activity.key
        FROM account
        JOIN campaign ON campaign.account = account.key
        JOIN campaign_activity ON campaign_activity.campaign = campaign.key
        WHERE account_id = :account_id AND campaign_id = ANY(:ids)
    )
    GROUP BY campaign_activity, type, detail
) AS counted ON counted.campaign_activity = campaign_activity.key
WHERE campaign.account = (SELECT key FROM account WHERE account_id = :account_id) AND campaign_id = ANY(:ids)

-- list_sent_campaigns: List the campaigns of an account, most recently sent first. Reads the stats of all campaigns of
-- the account. Served by the unique keys and the primary key; all of the account's campaigns are read, a row for each
-- bucket.
SELECT campaign_id, max(last_time) AS last_sent
FROM campaign
JOIN campaign_activity ON campaign_activity.campaign = campaign.key
JOIN campaign_activity_stats ON campaign_activity_stats.campaign_activity = campaign_activity.key
 AND type = 0 AND detail = -1
WHERE campaign.account = (SELECT key FROM account WHERE account_id = :account_id)
GROUP BY campaign_id
HAVING max(last_time) >= :not_before AND (max(last_time), campaign_id COLLATE "C") < (:after_time, :after_id)
ORDER BY last_sent DESC, campaign_id COLLATE "C" DESC LIMIT :limit

-- list_recent_sends: List the campaign activities of an account, most recently sent first. Reads the stats of all
-- campaign activities of the account. Served by the unique keys and the primary key; all of the account's are read, a
-- row for each bucket.
SELECT campaign_activity_id, campaign_activity_name, max(last_time) AS last_sent
FROM campaign_activity
JOIN campaign_activity_stats ON campaign_activity_stats.campaign_activity = campaign_activity.key
 AND type = 0 AND detail = -1
WHERE campaign_activity.account = (SELECT key FROM account WHERE account_id = :account_id)
GROUP BY campaign_activity_id, campaign_activity_name
ORDER BY last_sent DESC, campaign_activity_id COLLATE "C" DESC LIMIT :limit

-- count_activity_by_hour: Count the activities of a campaign activity by hour and type. Served by the unique keys and a
-- range of the primary key.
SELECT hour, type, sum(total)::bigint
FROM campaign_activity
JOIN campaign_activity_hour ON campaign_activity_hour.campaign_activity = campaign_activity.key
WHERE campaign_activity.account = (SELECT key FROM account WHERE account_id = :account_id) AND campaign_activity_id = :campaign_activity_id
GROUP BY hour, type ORDER BY hour, type

-- count_account_by_hour: Count the activities of all campaign activities of an account in a period by hour and type.
-- Served by the unique keys and a range of the primary key for each.
SELECT hour, type, sum(total)::bigint
FROM campaign_activity
JOIN campaign_activity_hour ON campaign_activity_hour.campaign_activity = campaign_activity.key
WHERE campaign_activity.account = (SELECT key FROM account WHERE account_id = :account_id) AND hour >= :start AND hour < :end
GROUP BY hour, type ORDER BY hour, type

-- campaign_activity_key: Get the key of a campaign activity. Served by the unique keys.
SELECT campaign_activity.key
FROM account JOIN campaign_activity ON campaign_activity.account = account.key
WHERE account.account_id = $1 AND campaign_activity_id = $2

-- list_links: List the links of a campaign activity, or those with a url_id: their own, or else from their digest.
-- Served by unique (campaign_activity, digest).
SELECT key FROM link WHERE campaign_activity = $1 AND (url_id = $2 OR url_id IS NULL AND digest BETWEEN $3 AND $4)

-- tracking_page: Read a page. Served by one ordered range of tracking_activity_by_campaign_activity; on a cluster, by
-- one on every shard, which are merged.
SELECT created_time, identity, contact, person, link, device_type, bounce_code, opt_out_reason, event_id
FROM tracking_activity AS candidate
WHERE campaign_activity = $1 AND type = $2 AND created_time >= $3 AND (created_time, contact, identity) < ($4, $5, $6)
  {selection}
ORDER BY created_time DESC, contact DESC, identity DESC LIMIT $7

-- by_link: Select only the clicks on some links. Served by the same range, which is read through.
AND coalesce(link, 0) = ANY($8::bigint[])

-- by_bounce_code: Select only bounces with some codes; an unknown code is X. Served by the same range, read through.
AND ($8::integer >> coalesce(bounce_code, 5)::integer) & 1 = 1

-- by_contact: Select only activities of contacts whose name or address contains a text. Every row of the range is
-- looked up by the primary key.
AND coalesce((
    SELECT strpos(lower(concat_ws(' ', first_name, last_name, email_address) COLLATE "C"), $8) FROM contact
    WHERE contact.key = candidate.contact
) > 0, false)

-- latest_per_contact: Select only each contact's latest activity. Every row of the range is looked up in the
-- engagement. coalesce only changes the plan: otherwise the planner expects that hardly any row passes, and reads and
-- sorts all.
AND coalesce(created_time = (
    SELECT last_time FROM engagement
    WHERE engagement.campaign_activity = candidate.campaign_activity AND engagement.type = candidate.type
      AND engagement.contact = candidate.contact
) AND identity = (
    SELECT max(same_time.identity) FROM tracking_activity AS same_time
    WHERE same_time.contact = candidate.contact AND same_time.type = candidate.type AND same_time.created_time = candidate.created_time
      AND same_time.campaign_activity = candidate.campaign_activity
), false)

-- not_opened: Select only each contact's latest activity, if the contact neither opened the email (1) nor did it bounce
-- (3).
AND coalesce(created_time = (
    SELECT last_time FROM engagement
    WHERE engagement.campaign_activity = candidate.campaign_activity AND engagement.type = candidate.type
      AND engagement.contact = candidate.contact
) AND identity = (
    SELECT max(same_time.identity) FROM tracking_activity AS same_time
    WHERE same_time.contact = candidate.contact AND same_time.type = candidate.type AND same_time.created_time = candidate.created_time
      AND same_time.campaign_activity = candidate.campaign_activity
) AND (
    SELECT count(*) FROM engagement
    WHERE engagement.campaign_activity = candidate.campaign_activity AND engagement.type IN (1, 3)
      AND engagement.contact = candidate.contact
) = 0, false)

-- latest_per_contact_and_link: Select only each contact's latest click on each link. Every row of the range is compared
-- with the contact's later ones.
AND coalesce((
    SELECT count(*) FROM tracking_activity AS later
    WHERE later.contact = candidate.contact AND later.type = candidate.type
      AND (later.created_time, later.identity) > (candidate.created_time, candidate.identity)
      AND later.campaign_activity = candidate.campaign_activity AND later.link IS NOT DISTINCT FROM candidate.link
) = 0, false)

-- group_links: Group the links of a campaign activity by address, or by id if they have none: the key of the first, and
-- all keys. Served by unique (campaign_activity, digest).
SELECT min(key), array_agg(key) FROM link WHERE campaign_activity = $1
GROUP BY link_url, CASE WHEN link_url IS NULL THEN url_id END

-- name_links: Get the addresses and ids of links. Served by the primary key.
SELECT key, link_url, url_id FROM link WHERE key = ANY($1)

-- count_clickers: Count the contacts that clicked each link. Served by one range of the primary key.
SELECT link, count(*) FROM clicked_link WHERE campaign_activity = $1 GROUP BY link

-- count_erased_clickers: Count the erased contacts that clicked each link. Served by one range of the primary key.
SELECT link, sum(contacts)::bigint FROM erased_link WHERE campaign_activity = $1 GROUP BY link

-- count_clickers_of_links: Count the contacts that clicked any of some links. Served by ranges of the primary key.
SELECT count(DISTINCT contact) FROM clicked_link WHERE campaign_activity = $1 AND link = ANY($2)

-- get_profiles: Get contacts with their current profiles and all reported profiles, a row for each. One statement, as a
-- cluster queries all shards for each. Served by the primary keys. One statement, as a cluster asks all shards by each.
SELECT contact.key, contact_id, deleted_at, contact.email_address, contact.first_name, contact.last_name,
       person.key, person.email_address, person.first_name, person.last_name
FROM contact LEFT JOIN person ON person.contact = contact.key
WHERE contact.key = ANY($1)

-- list_profiles: List the profiles that activities of contacts reported until a time. Served by the primary keys.
SELECT activity.contact, activity.created_time, activity.identity, person.email_address, person.first_name, person.last_name
FROM tracking_activity AS activity
JOIN person ON person.contact = activity.contact AND person.key = activity.person
WHERE activity.contact = ANY($1) AND activity.created_time <= $2
