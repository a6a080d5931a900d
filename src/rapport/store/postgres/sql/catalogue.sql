-- one_at_a_time: nobody else takes in statements of the account until this is over.
SELECT pg_advisory_xact_lock($1)

-- contacts: what is stated of contacts. Served by the primary key.
SELECT key, facts::text FROM contact WHERE key = ANY($1)

-- state_contacts: what is stated of contacts now; who is new comes into being. Served by the primary key.
INSERT INTO contact (
    key, account, contact_id, email_address, first_name, last_name,
    created_at, updated_at, deleted_at, facts
)
SELECT stated.key, stated.account, stated.contact_id, stated.email_address, stated.first_name, stated.last_name,
       stated.created_at, stated.updated_at, stated.deleted_at, stated.facts::jsonb
FROM unnest(
    $1::bytea[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[],
    $7::timestamptz[], $8::timestamptz[], $9::timestamptz[], $10::text[]
) AS stated (
    key, account, contact_id, email_address, first_name, last_name, created_at, updated_at, deleted_at, facts
)
ORDER BY stated.key
ON CONFLICT (key) DO UPDATE SET
    created_at = excluded.created_at,
    updated_at = excluded.updated_at,
    deleted_at = excluded.deleted_at,
    facts      = excluded.facts
RETURNING key, email_address, first_name, last_name

-- campaign: what is stated of a campaign. Served by the primary key.
SELECT facts::text FROM campaign WHERE key = $1

-- state_campaign: what is stated of it now. Served by the primary key.
UPDATE campaign SET campaign_name = $2, updated_at = $3, facts = $4::text::jsonb WHERE key = $1

-- campaign_activity: what is stated of a campaign activity. Served by the primary key.
SELECT facts::text FROM campaign_activity WHERE key = $1

-- state_campaign_activity: what is stated of it now. Served by the primary key.
UPDATE campaign_activity SET facts = $2::text::jsonb WHERE key = $1

-- stated_contacts: what is stated of contacts, by their ids. Served by contact_by_account.
SELECT contact_id, facts::text FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = $1) AND contact_id > $2 AND facts IS NOT NULL
ORDER BY contact_id LIMIT $3

-- stated_campaigns: what is stated of campaigns and campaign activities. Served by unique (account, campaign_id) and
-- campaign_activity_by_campaign.
SELECT campaign_id, campaign.facts::text, campaign_activity_id, campaign_activity.facts::text
FROM campaign LEFT JOIN campaign_activity ON campaign_activity.campaign = campaign.key
WHERE campaign.account = (SELECT key FROM account WHERE account_id = $1)
  AND (campaign.facts IS NOT NULL OR campaign_activity.facts IS NOT NULL)
ORDER BY campaign_id, campaign_activity_id
