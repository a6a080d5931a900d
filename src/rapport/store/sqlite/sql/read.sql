-- contact_key: which contact is meant. Served by unique (account_id) and unique (account, contact_id).
SELECT contact.key
FROM account JOIN contact ON contact.account = account.key
WHERE account.account_id = :account_id AND contact.contact_id = :contact_id;

-- activities_of_type: one ordered range of the clustered key; a page merges one for each type asked for.
SELECT created_time, identity, type, campaign_activity
FROM tracking_activity
WHERE contact = :contact AND type = :type AND created_time >= :not_before
  AND (created_time, identity) < (:after_time, :after_identity)

-- newest_first: the order of the merge.
ORDER BY created_time DESC, identity DESC LIMIT :limit

-- whole_activities_of_type: the same range, with all that was recorded; for export. What was said first of a contact,
-- number 1, is in the contact's row as long as it has none in person.
SELECT created_time, identity, type, event_id, device_type, bounce_code, tracking_activity.opt_out_reason,
       campaign_activity.campaign_activity_id, campaign_activity.campaign_activity_name, campaign.campaign_id,
       link.link_url, link.url_id,
       iif(tracking_activity.person = 1 AND person.number IS NULL, contact.email_address, person.email_address),
       iif(tracking_activity.person = 1 AND person.number IS NULL, contact.first_name, person.first_name),
       iif(tracking_activity.person = 1 AND person.number IS NULL, contact.last_name, person.last_name)
FROM tracking_activity
JOIN contact ON contact.key = tracking_activity.contact
JOIN campaign_activity ON campaign_activity.key = tracking_activity.campaign_activity
LEFT JOIN campaign ON campaign.key = campaign_activity.campaign
LEFT JOIN link ON link.key = tracking_activity.link
LEFT JOIN person ON person.contact = tracking_activity.contact AND person.number = tracking_activity.person
WHERE tracking_activity.contact = :contact AND type = :type AND created_time >= :not_before
  AND (created_time, identity) < (:after_time, :after_identity)

-- campaign_activity: what a campaign activity is called now. Served by the primary key.
SELECT campaign_activity_id, campaign_activity_name FROM campaign_activity WHERE key = :key;

-- revision_of_campaign_activities: whether one has been renamed since. Served by the primary key.
SELECT number FROM revision WHERE of = 'campaign_activity';

-- account_has_contacts: whether the account knows any contact. Served by unique (account, contact_id).
SELECT contact.key FROM account JOIN contact ON contact.account = account.key
WHERE account.account_id = :account_id LIMIT 1;

-- readable: whether the store answers.
SELECT count(*) FROM revision;

-- accounts: all of them.
SELECT account_id FROM account ORDER BY account_id;

-- contact_ids: the ids of an account's contacts, in order, behind one. Served by unique (account, contact_id).
SELECT contact_id FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id) AND contact_id > :after
ORDER BY contact_id LIMIT :limit;

-- stated_campaign_activities: what is stated of an account's campaign activities, and when. By the unique keys.
SELECT campaign_activity_id, campaign_activity_name, name_time, campaign_id, campaign_time
FROM campaign_activity LEFT JOIN campaign ON campaign.key = campaign_activity.campaign
WHERE campaign_activity.account = (SELECT key FROM account WHERE account_id = :account_id);
