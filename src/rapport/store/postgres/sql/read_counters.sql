-- of_campaign_activities: what is counted of campaign activities, over all buckets. Served by the unique keys and the
-- primary key. The counts are summed before they are joined, or a cluster would fetch those of all accounts.
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
        WHERE account_id = $1 AND campaign_activity_id = ANY($2)
    )
    GROUP BY campaign_activity, type, detail
) AS counted ON counted.campaign_activity = campaign_activity.key
WHERE campaign_activity.account = (SELECT key FROM account WHERE account_id = $1) AND campaign_activity_id = ANY($2)

-- of_campaigns: the same of all campaign activities of campaigns. Served by campaign_activity_by_campaign besides.
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
        WHERE account_id = $1 AND campaign_id = ANY($2)
    )
    GROUP BY campaign_activity, type, detail
) AS counted ON counted.campaign_activity = campaign_activity.key
WHERE campaign.account = (SELECT key FROM account WHERE account_id = $1) AND campaign_id = ANY($2)

-- sent_campaigns: the campaigns of an account by their last send. Served by the unique keys and the primary key; all
-- of the account's campaigns are looked at, a row for each bucket.
SELECT campaign_id, max(last_time) AS last_sent
FROM campaign
JOIN campaign_activity ON campaign_activity.campaign = campaign.key
JOIN campaign_activity_stats ON campaign_activity_stats.campaign_activity = campaign_activity.key
 AND type = 0 AND detail = -1
WHERE campaign.account = (SELECT key FROM account WHERE account_id = $1)
GROUP BY campaign_id
HAVING max(last_time) >= $5 AND (max(last_time), campaign_id COLLATE "C") < ($2, $3)
ORDER BY last_sent DESC, campaign_id COLLATE "C" DESC LIMIT $4

-- newest_sent: the campaign activities of an account by their last send. Served by the unique keys and the primary key;
-- all of the account's are looked at, a row for each bucket.
SELECT campaign_activity_id, campaign_activity_name, max(last_time) AS last_sent
FROM campaign_activity
JOIN campaign_activity_stats ON campaign_activity_stats.campaign_activity = campaign_activity.key
 AND type = 0 AND detail = -1
WHERE campaign_activity.account = (SELECT key FROM account WHERE account_id = $1)
GROUP BY campaign_activity_id, campaign_activity_name
ORDER BY last_sent DESC, campaign_activity_id COLLATE "C" DESC LIMIT $2

-- hours_of_campaign_activity: how much was done when. Served by the unique keys and a range of the primary key.
SELECT hour, type, sum(total)::bigint
FROM campaign_activity
JOIN campaign_activity_hour ON campaign_activity_hour.campaign_activity = campaign_activity.key
WHERE campaign_activity.account = (SELECT key FROM account WHERE account_id = $1) AND campaign_activity_id = $2
GROUP BY hour, type ORDER BY hour, type

-- hours_of_account: the same of all campaign activities of an account in a time. Served by the unique keys and a range
-- of the primary key for each.
SELECT hour, type, sum(total)::bigint
FROM campaign_activity
JOIN campaign_activity_hour ON campaign_activity_hour.campaign_activity = campaign_activity.key
WHERE campaign_activity.account = (SELECT key FROM account WHERE account_id = $1) AND hour >= $2 AND hour < $3
GROUP BY hour, type ORDER BY hour, type
