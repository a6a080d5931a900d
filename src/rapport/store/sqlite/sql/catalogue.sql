-- contacts: what is stated and known of contacts. Served by unique (account, contact_id).
SELECT contact_id, key, email_address, first_name, last_name, facts
FROM carray(:contact_ids) AS wanted
CROSS JOIN contact ON contact.account = :account AND contact.contact_id = wanted.value;

-- state_contact: what is stated of one now. Served by the primary key.
UPDATE contact
SET created_at = ?, updated_at = ?, deleted_at = ?, facts = ?
WHERE key = ?;

-- campaign: what is stated of a campaign. Served by unique (account, campaign_id).
SELECT key, facts FROM campaign WHERE account = :account AND campaign_id = :campaign_id;

-- state_campaign: what is stated of it now. Served by the primary key.
UPDATE campaign SET campaign_name = ?, updated_at = ?, facts = ? WHERE key = ?;

-- campaign_activity: what is stated of a campaign activity. Served by the primary key.
SELECT facts FROM campaign_activity WHERE key = :key;

-- state_campaign_activity: what is stated of it now. Served by the primary key.
UPDATE campaign_activity SET facts = ? WHERE key = ?;

-- stated_contacts: what is stated of contacts, by their ids. Served by unique (account, contact_id).
SELECT contact_id, facts FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id) AND contact_id > :after
  AND facts IS NOT NULL
ORDER BY contact_id LIMIT :limit;

-- stated_campaigns: what is stated of campaigns and campaign activities. Served by unique (account, campaign_id) and
-- campaign_activity_by_campaign.
SELECT campaign_id, campaign.facts, campaign_activity_id, campaign_activity.facts
FROM campaign LEFT JOIN campaign_activity ON campaign_activity.campaign = campaign.key
WHERE campaign.account = (SELECT key FROM account WHERE account_id = :account_id)
  AND (campaign.facts IS NOT NULL OR campaign_activity.facts IS NOT NULL)
ORDER BY campaign_id, campaign_activity_id;
