-- campaigns: the email campaigns of an account, that which was changed last first. Served by the unique keys and the
-- primary keys; all of the account's campaigns are looked at, a row each. A campaign whose activities are all a landing
-- page's (types from 6 on) is none.
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
WHERE updated BETWEEN :after AND :before AND (updated, campaign_id) < (:after_time, :after_id)
  AND coalesce(first_type, 0) < 6
ORDER BY updated DESC, campaign_id DESC LIMIT :limit;

-- campaign: what is known of one. Served by unique (account, campaign_id).
SELECT campaign.key, campaign_id, facts, coalesce(updated_at, 0)
FROM account JOIN campaign ON campaign.account = account.key
WHERE account.account_id = :account_id AND campaign_id = :campaign_id;

-- campaign_activities: those of a campaign, as they came to be. Served by campaign_activity_by_campaign.
SELECT campaign_activity_id, campaign_activity_name, facts,
       (SELECT last_time FROM campaign_activity_stats
        WHERE campaign_activity = campaign_activity.key AND type = 0 AND detail = -1)
FROM campaign_activity WHERE campaign = :campaign ORDER BY key;

-- campaign_activity: what is known of one. Served by unique (account, campaign_activity_id).
SELECT campaign_activity_id, campaign_id, campaign_activity_name, campaign_activity.facts,
       EXISTS (SELECT 1 FROM campaign_activity_stats
               WHERE campaign_activity = campaign_activity.key AND type = 0 AND detail = -1),
       campaign.facts ->> '$.current_status[0]'
FROM account JOIN campaign_activity ON campaign_activity.account = account.key
LEFT JOIN campaign ON campaign.key = campaign_activity.campaign
WHERE account.account_id = :account_id AND campaign_activity_id = :campaign_activity_id;
