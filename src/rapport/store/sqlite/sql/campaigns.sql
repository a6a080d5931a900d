-- find: List the email campaigns of an account, most recently updated first. Reads a row for each campaign of the
-- account. A campaign whose activities all are a landing page's (types from 6 on) isn't an email campaign. Served by
-- the unique keys and the primary keys; all of the account's campaigns are read, a row each. A campaign whose
-- activities are all a landing page's (types from 6 on) is none.
SELECT campaign_id, facts, updated, sent, activity_name
FROM (
    SELECT campaign_id, campaign.facts, coalesce(updated_at, max(last_time) FILTER (WHERE type = 0), 0) AS updated,
           count(*) FILTER (WHERE type = 0) > 0 AS sent, min(type) AS first_type,
           min(campaign_activity_name) AS activity_name
    FROM campaign
    LEFT JOIN campaign_activity ON campaign_activity.campaign = campaign.key
    LEFT JOIN campaign_activity_stats ON campaign_activity_stats.campaign_activity = campaign_activity.key
          AND detail = -1
    WHERE campaign.account = (SELECT key FROM account WHERE account_id = :account_id)
    GROUP BY campaign.key
)
WHERE updated BETWEEN :start AND :end AND (updated, campaign_id) < (:after_time, :after_id)
  AND coalesce(first_type, 0) < 6
ORDER BY updated DESC, campaign_id DESC LIMIT :limit;

-- list_activity_hours: List the first and the last hour in which campaigns had activities. Served by unique (account,
-- campaign_id), campaign_activity_by_campaign and the primary key.
SELECT campaign_id,
       min((SELECT min(hour) FROM campaign_activity_hour AS hours WHERE hours.campaign_activity = activity.key)),
       max((SELECT max(hour) FROM campaign_activity_hour AS hours WHERE hours.campaign_activity = activity.key))
FROM carray(:campaign_ids) AS requested
CROSS JOIN campaign ON campaign.account = (SELECT key FROM account WHERE account_id = :account_id)
      AND campaign.campaign_id = requested.value
CROSS JOIN campaign_activity AS activity ON activity.campaign = campaign.key
GROUP BY campaign_id;

-- get: Get a campaign. Served by unique (account, campaign_id).
SELECT campaign.key, campaign_id, facts, coalesce(updated_at, 0)
FROM account JOIN campaign ON campaign.account = account.key
WHERE account.account_id = :account_id AND campaign_id = :campaign_id;

-- list_activities: List the campaign activities of a campaign in order of creation, each with its last send. Served by
-- campaign_activity_by_campaign.
SELECT campaign_activity_id, campaign_activity_name, facts,
       (SELECT last_time FROM campaign_activity_stats
        WHERE campaign_activity = campaign_activity.key AND type = 0 AND detail = -1)
FROM campaign_activity WHERE campaign = :campaign ORDER BY key;

-- get_activity: Get a campaign activity. Served by unique (account, campaign_activity_id).
SELECT campaign_activity_id, campaign_id, campaign_activity_name, campaign_activity.facts, campaign_activity.key,
       campaign.facts ->> '$.current_status[0]'
FROM account JOIN campaign_activity ON campaign_activity.account = account.key
LEFT JOIN campaign ON campaign.key = campaign_activity.campaign
WHERE account.account_id = :account_id AND campaign_activity_id = :campaign_activity_id;

-- is_sent: Check whether a campaign activity was ever sent. Served by the primary key.
SELECT count(*) > 0 FROM campaign_activity_stats WHERE campaign_activity = :campaign_activity AND type = 0 AND detail = -1;

-- find_activities: List the campaign activities whose name contains a text or whose id starts with it, most recently
-- named first. Reads a row for each campaign activity of the account. Served by unique (account, campaign_activity_id).
SELECT campaign_activity_id, campaign_activity_name
FROM campaign_activity
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND (instr(lower(campaign_activity_name), lower(:text)) > 0
       OR (campaign_activity_id >= :text AND campaign_activity_id < :end))
ORDER BY coalesce(name_time, 0) DESC, campaign_activity_id LIMIT :limit;

-- list_activity_refs: List the names and campaigns of an account's campaign activities, and the times at which they
-- were set, in the order in which they were added. By the unique keys.
SELECT campaign_activity_id, campaign_activity_name, name_time, campaign_id, campaign_time
FROM campaign_activity LEFT JOIN campaign ON campaign.key = campaign_activity.campaign
WHERE campaign_activity.account = (SELECT key FROM account WHERE account_id = :account_id)
ORDER BY campaign_activity.key;

-- list_links: List the links of campaign activities, in the order in which they were added. Served by unique (account,
-- campaign_activity_id) and link_by_campaign_activity.
SELECT campaign_activity_id, link_url, url_id
FROM carray(:campaign_activity_ids) AS requested
CROSS JOIN campaign_activity ON campaign_activity.account = (SELECT key FROM account WHERE account_id = :account_id)
      AND campaign_activity_id = requested.value
CROSS JOIN link ON link.campaign_activity = campaign_activity.key
ORDER BY link.key;

-- list_attributes: List the attributes of campaigns and campaign activities. Served by unique (account, campaign_id)
-- and campaign_activity_by_campaign.
SELECT campaign_id, campaign.facts, campaign_activity_id, campaign_activity.facts
FROM campaign LEFT JOIN campaign_activity ON campaign_activity.campaign = campaign.key
WHERE campaign.account = (SELECT key FROM account WHERE account_id = :account_id)
  AND (campaign.facts IS NOT NULL OR campaign_activity.facts IS NOT NULL)
ORDER BY campaign_id, campaign_activity_id;

-- get_attributes: Get the attributes of a campaign. Served by unique (account, campaign_id).
SELECT key, facts FROM campaign WHERE account = :account AND campaign_id = :campaign_id;

-- update_attributes: Update the attributes of a campaign. Served by the primary key.
UPDATE campaign SET campaign_name = ?, updated_at = ?, facts = ? WHERE key = ?;

-- get_activity_attributes: Get the attributes of a campaign activity. Served by the primary key.
SELECT facts FROM campaign_activity WHERE key = :key;

-- update_activity_attributes: Update the attributes of a campaign activity. Served by the primary key.
UPDATE campaign_activity SET facts = ? WHERE key = ?;
