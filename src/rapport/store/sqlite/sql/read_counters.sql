-- of_campaign_activities: what is counted of campaign activities. Served by the unique keys and the primary key.
SELECT campaign_activity_id, campaign_id, type, detail, total, contacts, last_time
FROM carray(:ids) AS wanted
CROSS JOIN campaign_activity
  ON campaign_activity.account = (SELECT key FROM account WHERE account_id = :account_id)
 AND campaign_activity_id = wanted.value
LEFT JOIN campaign ON campaign.key = campaign_activity.campaign
LEFT JOIN campaign_activity_stats ON campaign_activity_stats.campaign_activity = campaign_activity.key;

-- of_campaigns: the same of all campaign activities of campaigns. Served by campaign_activity_by_campaign besides.
SELECT campaign_activity_id, campaign_id, type, detail, total, contacts, last_time
FROM carray(:ids) AS wanted
CROSS JOIN campaign
  ON campaign.account = (SELECT key FROM account WHERE account_id = :account_id) AND campaign_id = wanted.value
CROSS JOIN campaign_activity ON campaign_activity.campaign = campaign.key
LEFT JOIN campaign_activity_stats ON campaign_activity_stats.campaign_activity = campaign_activity.key;

-- sent_campaigns: the campaigns of an account by their last send. Served by the unique keys and the primary key; all
-- of the account's campaigns are looked at, a row each.
SELECT campaign_id, max(last_time) AS last_sent
FROM campaign
CROSS JOIN campaign_activity ON campaign_activity.campaign = campaign.key
CROSS JOIN campaign_activity_stats ON campaign_activity_stats.campaign_activity = campaign_activity.key
       AND type = 0 AND detail = -1
WHERE campaign.account = (SELECT key FROM account WHERE account_id = :account_id)
GROUP BY campaign.key
HAVING max(last_time) >= :not_before AND (max(last_time), campaign_id) < (:after_time, :after_id)
ORDER BY last_sent DESC, campaign_id DESC LIMIT :limit;

-- newest_sent: the campaign activities of an account by their last send. Served by the unique keys and the primary key;
-- all of the account's are looked at, a row each.
SELECT campaign_activity_id, campaign_activity_name, last_time
FROM campaign_activity
CROSS JOIN campaign_activity_stats ON campaign_activity_stats.campaign_activity = campaign_activity.key
       AND type = 0 AND detail = -1
WHERE campaign_activity.account = (SELECT key FROM account WHERE account_id = :account_id)
ORDER BY last_time DESC, campaign_activity_id DESC LIMIT :limit;

-- hours_of_campaign_activity: how much was done when. Served by the unique keys and a range of the primary key.
SELECT hour, type, total
FROM campaign_activity
CROSS JOIN campaign_activity_hour ON campaign_activity_hour.campaign_activity = campaign_activity.key
WHERE campaign_activity.account = (SELECT key FROM account WHERE account_id = :account_id)
  AND campaign_activity_id = :campaign_activity_id
ORDER BY hour, type;

-- hours_of_account: the same of all campaign activities of an account in a time. Served by the unique keys and a range
-- of the primary key for each.
SELECT hour, type, sum(total)
FROM campaign_activity
CROSS JOIN campaign_activity_hour ON campaign_activity_hour.campaign_activity = campaign_activity.key
WHERE campaign_activity.account = (SELECT key FROM account WHERE account_id = :account_id)
  AND hour >= :start AND hour < :end
GROUP BY hour, type ORDER BY hour, type;
