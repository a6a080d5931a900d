-- find: List the email campaigns of an account, most recently updated first. Reads a row for each campaign of the
-- account. A campaign whose activities all are a landing page's (types from 6 on) isn't an email campaign. Served by
-- the unique keys and the primary keys; all of the account's campaigns are read. A campaign whose activities are all a
-- landing page's (types from 6 on) is none.
SELECT campaign_id, facts, updated, sent, activity_name
FROM (
    SELECT campaign_id, campaign.facts::text AS facts,
           coalesce(campaign.updated_at, max(last_time) FILTER (WHERE type = 0), 'epoch') AS updated,
           count(*) FILTER (WHERE type = 0) > 0 AS sent, min(type) AS first_type,
           min(campaign_activity_name COLLATE "C") AS activity_name
    FROM campaign
    LEFT JOIN campaign_activity ON campaign_activity.campaign = campaign.key
    LEFT JOIN (
        SELECT campaign_activity, type, max(last_time) AS last_time
        FROM campaign_activity_stats
        WHERE detail = -1 AND campaign_activity IN (
            SELECT campaign_activity.key
            FROM account JOIN campaign_activity ON campaign_activity.account = account.key
            WHERE account_id = :account_id
        )
        GROUP BY campaign_activity, type
    ) AS counted ON counted.campaign_activity = campaign_activity.key
    WHERE campaign.account = (SELECT key FROM account WHERE account_id = :account_id)
    GROUP BY campaign.key, campaign_id, campaign.facts::text, campaign.updated_at
) AS stored
WHERE updated BETWEEN :start AND :end AND (updated, campaign_id COLLATE "C") < (:after_time::timestamptz, :after_id)
  AND coalesce(first_type, 0) < 6
ORDER BY updated DESC, campaign_id COLLATE "C" DESC LIMIT :limit

-- list_activity_hours: List the first and the last hour in which campaigns had activities. Served by unique (account,
-- campaign_id), campaign_activity_by_campaign and the primary key.
SELECT campaign.campaign_id, min(hours.hour), max(hours.hour)
FROM campaign
JOIN campaign_activity ON campaign_activity.campaign = campaign.key
JOIN campaign_activity_hour AS hours ON hours.campaign_activity = campaign_activity.key
WHERE campaign.account = (SELECT key FROM account WHERE account_id = :account_id)
  AND campaign.campaign_id = ANY(:campaign_ids::text[])
GROUP BY campaign.campaign_id

-- get: Get a campaign. Served by unique (account, campaign_id).
SELECT campaign.key, campaign_id, facts::text, coalesce(updated_at, 'epoch')
FROM account JOIN campaign ON campaign.account = account.key
WHERE account.account_id = :account_id AND campaign_id = :campaign_id

-- list_activities: List the campaign activities of a campaign in order of creation, each with its last send. Served by
-- campaign_activity_by_campaign and the primary key.
SELECT campaign_activity_id, campaign_activity_name, facts::text, max(last_time)
FROM campaign_activity
LEFT JOIN (
    SELECT campaign_activity, max(last_time) AS last_time
    FROM campaign_activity_stats
    WHERE type = 0 AND detail = -1 AND campaign_activity IN (SELECT key FROM campaign_activity WHERE campaign = :campaign)
    GROUP BY campaign_activity
) AS counted ON counted.campaign_activity = campaign_activity.key
WHERE campaign_activity.campaign = :campaign
GROUP BY campaign_activity.key, campaign_activity_id, campaign_activity_name, facts::text
ORDER BY campaign_activity.key

-- get_activity: Get a campaign activity. Served by unique (account, campaign_activity_id).
SELECT campaign_activity_id, campaign_id, campaign_activity_name, campaign_activity.facts::text, campaign_activity.key,
       campaign.facts #>> '{current_status,0}'
FROM account JOIN campaign_activity ON campaign_activity.account = account.key
LEFT JOIN campaign ON campaign.key = campaign_activity.campaign
WHERE account.account_id = :account_id AND campaign_activity_id = :campaign_activity_id

-- is_sent: Check whether a campaign activity was ever sent. Served by the primary key.
SELECT count(*) > 0 FROM campaign_activity_stats WHERE campaign_activity = :campaign_activity AND type = 0 AND detail = -1

-- find_activities: List the campaign activities whose name contains a text or whose id starts with it, most recently
-- named first. Reads a row for each campaign activity of the account. Served by the unique key.
SELECT campaign_activity_id, campaign_activity_name
FROM campaign_activity
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND (strpos(lower(campaign_activity_name COLLATE "C"), lower(:text::text COLLATE "C")) > 0
       OR starts_with(campaign_activity_id, :text::text))
ORDER BY name_time DESC NULLS LAST, campaign_activity_id COLLATE "C" LIMIT :limit

-- list_activity_refs: List the names and campaigns of an account's campaign activities, and the times at which they
-- were set, in the order in which they were added. Served by the unique keys.
SELECT campaign_activity_id, campaign_activity_name, name_time, campaign_id, campaign_time
FROM campaign_activity LEFT JOIN campaign ON campaign.key = campaign_activity.campaign
WHERE campaign_activity.account = (SELECT key FROM account WHERE account_id = :account_id)
ORDER BY campaign_activity.key

-- list_links: List the links of campaign activities, in the order in which they were added. Served by unique (account,
-- campaign_activity_id) and unique (campaign_activity, digest).
SELECT campaign_activity_id, link_url, url_id
FROM campaign_activity JOIN link ON link.campaign_activity = campaign_activity.key
WHERE campaign_activity.account = (SELECT key FROM account WHERE account_id = :account_id)
  AND campaign_activity_id = ANY(:campaign_activity_ids::text[])
ORDER BY link.key

-- list_attributes: List the attributes of campaigns and campaign activities. Served by unique (account, campaign_id)
-- and campaign_activity_by_campaign.
SELECT campaign_id, campaign.facts::text, campaign_activity_id, campaign_activity.facts::text
FROM campaign LEFT JOIN campaign_activity ON campaign_activity.campaign = campaign.key
WHERE campaign.account = (SELECT key FROM account WHERE account_id = :account_id)
  AND (campaign.facts IS NOT NULL OR campaign_activity.facts IS NOT NULL)
ORDER BY campaign_id, campaign_activity_id

-- get_attributes: Get the attributes of a campaign. Served by the primary key.
SELECT facts::text FROM campaign WHERE key = $1

-- update_attributes: Update the attributes of a campaign. Served by the primary key.
UPDATE campaign SET campaign_name = $2, updated_at = $3, facts = $4::text::jsonb WHERE key = $1

-- get_activity_attributes: Get the attributes of a campaign activity. Served by the primary key.
SELECT facts::text FROM campaign_activity WHERE key = $1

-- update_activity_attributes: Update the attributes of a campaign activity. Served by the primary key.
UPDATE campaign_activity SET facts = $2::text::jsonb WHERE key = $1
