-- activities_of_type: one ordered range of the primary key; a page merges one for each type asked for.
(SELECT created_time, identity, type, campaign_activity
 FROM tracking_activity
 WHERE contact = $1 AND type = :type AND created_time >= $2 AND (created_time, identity) < ($3, $4)
 ORDER BY created_time DESC, identity DESC LIMIT $5)

-- page: the merge, and whether names that are remembered still hold. Served by the primary keys.
SELECT created_time, identity, type, campaign_activity,
       (SELECT number FROM revision WHERE of = 'campaign_activity') AS revision
FROM (:ranges) AS merged
ORDER BY created_time DESC, identity DESC LIMIT $5

-- whole_activities: the same page, with all that was recorded; for export.
SELECT merged.created_time, merged.identity, merged.type, event_id, device_type, bounce_code, opt_out_reason,
       campaign_activity.campaign_activity_id, campaign_activity.campaign_activity_name, campaign.campaign_id,
       link.link_url, link.url_id, person.email_address, person.first_name, person.last_name
FROM (:ranges) AS merged
JOIN tracking_activity ON tracking_activity.contact = $1 AND tracking_activity.type = merged.type
 AND tracking_activity.created_time = merged.created_time AND tracking_activity.identity = merged.identity
JOIN campaign_activity ON campaign_activity.key = merged.campaign_activity
LEFT JOIN campaign ON campaign.key = campaign_activity.campaign
LEFT JOIN link ON link.key = tracking_activity.link
LEFT JOIN person ON person.contact = $1 AND person.key = tracking_activity.person
ORDER BY merged.created_time DESC, merged.identity DESC LIMIT $5

-- contact: whether there is such a contact. Served by the primary key.
SELECT 1 FROM contact WHERE key = $1

-- campaign_activities: what campaign activities are called now. Served by the primary key.
SELECT key, campaign_activity_id, campaign_activity_name FROM campaign_activity WHERE key = ANY($1)

-- account_has_contacts: whether the account knows any contact. Served by contact_by_account.
SELECT 1 FROM contact WHERE account = (SELECT key FROM account WHERE account_id = $1) LIMIT 1

-- accounts: all of them.
SELECT account_id FROM account ORDER BY account_id

-- contact_ids: the ids of an account's contacts, in order, behind one. Served by contact_by_account.
SELECT contact_id FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = $1) AND contact_id > $2
ORDER BY contact_id LIMIT $3

-- stated_campaign_activities: what is stated of an account's campaign activities, and when. Served by the unique keys.
SELECT campaign_activity_id, campaign_activity_name, name_time, campaign_id, campaign_time
FROM campaign_activity LEFT JOIN campaign ON campaign.key = campaign_activity.campaign
WHERE campaign_activity.account = (SELECT key FROM account WHERE account_id = $1)

-- secret: a secret. Served by the primary key.
SELECT value FROM secret WHERE name = $1

-- secret_names: the names of all secrets.
SELECT name FROM secret ORDER BY name

-- readable: whether the store answers, and can write.
SELECT number, pg_is_in_recovery() FROM revision
