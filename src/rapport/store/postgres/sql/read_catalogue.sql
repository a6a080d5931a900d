-- campaigns: the email campaigns of an account, that which was changed last first. Served by the unique keys and the
-- primary keys; all of the account's campaigns are looked at. A campaign whose activities are all a landing page's (types
-- from 6 on) is none.
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
            WHERE account_id = $1
        )
        GROUP BY campaign_activity, type
    ) AS counted ON counted.campaign_activity = campaign_activity.key
    WHERE campaign.account = (SELECT key FROM account WHERE account_id = $1)
    GROUP BY campaign.key, campaign_id, campaign.facts::text, campaign.updated_at
) AS known
WHERE updated BETWEEN $2 AND $3 AND (updated, campaign_id COLLATE "C") < ($4::timestamptz, $5)
  AND coalesce(first_type, 0) < 6
ORDER BY updated DESC, campaign_id COLLATE "C" DESC LIMIT $6

-- campaign: what is known of one. Served by unique (account, campaign_id).
SELECT campaign.key, campaign_id, facts::text, coalesce(updated_at, 'epoch')
FROM account JOIN campaign ON campaign.account = account.key
WHERE account.account_id = $1 AND campaign_id = $2

-- campaign_activities: those of a campaign, as they came to be, each with its sends. Served by
-- campaign_activity_by_campaign and the primary key.
SELECT campaign_activity_id, campaign_activity_name, facts::text, max(last_time)
FROM campaign_activity
LEFT JOIN (
    SELECT campaign_activity, max(last_time) AS last_time
    FROM campaign_activity_stats
    WHERE type = 0 AND detail = -1 AND campaign_activity IN (SELECT key FROM campaign_activity WHERE campaign = $1)
    GROUP BY campaign_activity
) AS counted ON counted.campaign_activity = campaign_activity.key
WHERE campaign_activity.campaign = $1
GROUP BY campaign_activity.key, campaign_activity_id, campaign_activity_name, facts::text
ORDER BY campaign_activity.key

-- campaign_activity: what is known of one. Served by unique (account, campaign_activity_id).
SELECT campaign_activity_id, campaign_id, campaign_activity_name, campaign_activity.facts::text, campaign_activity.key,
       campaign.facts #>> '{current_status,0}'
FROM account JOIN campaign_activity ON campaign_activity.account = account.key
LEFT JOIN campaign ON campaign.key = campaign_activity.campaign
WHERE account.account_id = $1 AND campaign_activity_id = $2

-- is_sent: whether it ever was. Served by the primary key.
SELECT count(*) > 0 FROM campaign_activity_stats WHERE campaign_activity = $1 AND type = 0 AND detail = -1
