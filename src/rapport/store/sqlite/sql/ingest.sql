-- get_contacts: Get the keys and profiles of contacts. Served by unique (account, contact_id).
SELECT contact_id, key, created_at, email_address, first_name, last_name
FROM carray(:contact_ids) AS requested
CROSS JOIN contact ON contact.account = :account AND contact.contact_id = requested.value;

-- add_contact: Create a contact.
INSERT INTO contact (account, contact_id, email_address, first_name, last_name, created_at, updated_at)
VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING key;

-- get_profiles: Get the profiles of contacts that have rows of their own. Served by the primary key.
SELECT contact, number, email_address, first_name, last_name
FROM carray(:contacts) AS requested
CROSS JOIN person ON person.contact = requested.value;

-- add_first_profile: Copy a contact's first profile, number 1, to a row of its own before the contact's row, which
-- contains it, changes. Only if an activity reported it. Served by the primary keys.
INSERT INTO person (contact, number, email_address, first_name, last_name)
SELECT key, 1, email_address, first_name, last_name FROM contact
WHERE key = :contact AND EXISTS (SELECT 1 FROM tracking_activity WHERE contact = :contact AND person = 1)
ON CONFLICT DO NOTHING RETURNING number;

-- add_profile: Add a profile of a contact.
INSERT INTO person (contact, number, email_address, first_name, last_name) VALUES (?, ?, ?, ?, ?);

-- set_email_address: Set the email address, unless a later activity or update has another one. Served by the primary
-- keys.
UPDATE contact SET email_address = :value
WHERE key = :contact AND coalesce(facts ->> '$.email_address[1]', 0) <= :created_time AND NOT EXISTS (
    SELECT 1 FROM person CROSS JOIN tracking_activity AS later
    WHERE person.contact = :contact AND person.email_address IS NOT NULL AND person.email_address IS NOT :value
      AND later.contact = :contact AND later.type IN (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
      AND later.created_time > :created_time AND later.person = person.number
)
RETURNING key;

-- set_first_name: Set the first name in the same way.
UPDATE contact SET first_name = :value
WHERE key = :contact AND coalesce(facts ->> '$.first_name[1]', 0) <= :created_time AND NOT EXISTS (
    SELECT 1 FROM person CROSS JOIN tracking_activity AS later
    WHERE person.contact = :contact AND person.first_name IS NOT NULL AND person.first_name IS NOT :value
      AND later.contact = :contact AND later.type IN (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
      AND later.created_time > :created_time AND later.person = person.number
)
RETURNING key;

-- set_last_name: Set the last name in the same way.
UPDATE contact SET last_name = :value
WHERE key = :contact AND coalesce(facts ->> '$.last_name[1]', 0) <= :created_time AND NOT EXISTS (
    SELECT 1 FROM person CROSS JOIN tracking_activity AS later
    WHERE person.contact = :contact AND person.last_name IS NOT NULL AND person.last_name IS NOT :value
      AND later.contact = :contact AND later.type IN (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
      AND later.created_time > :created_time AND later.person = person.number
)
RETURNING key;

-- get_campaign_activity: Get the key, name and campaign of a campaign activity. Served by unique (account,
-- campaign_activity_id).
SELECT campaign_activity.key, campaign_activity_name, name_time, campaign_id, campaign_time
FROM campaign_activity LEFT JOIN campaign ON campaign.key = campaign_activity.campaign
WHERE campaign_activity.account = :account AND campaign_activity_id = :campaign_activity_id;

-- add_campaign_activity: Create a campaign activity.
INSERT INTO campaign_activity (account, campaign_activity_id) VALUES (:account, :campaign_activity_id) RETURNING key;

-- set_campaign_activity_name: Set the name of a campaign activity.
UPDATE campaign_activity SET campaign_activity_name = :campaign_activity_name, name_time = :name_time
WHERE key = :key;

-- set_campaign_activity_campaign: Set the campaign of a campaign activity.
UPDATE campaign_activity SET campaign = :campaign, campaign_time = :campaign_time WHERE key = :key;

-- get_campaign: Get the key of a campaign. Served by unique (account, campaign_id).
SELECT key FROM campaign WHERE account = :account AND campaign_id = :campaign_id;

-- add_campaign: Create a campaign.
INSERT INTO campaign (account, campaign_id) VALUES (:account, :campaign_id) RETURNING key;

-- bump_names_revision: Invalidate cached names.
UPDATE revision SET number = number + 1 WHERE of = 'campaign_activity';

-- get_link: Get the key of a link. Served by link_by_campaign_activity.
SELECT key FROM link
WHERE campaign_activity = :campaign_activity AND link_url IS :link_url AND url_id IS :url_id;

-- add_link: Create a link.
INSERT INTO link (campaign_activity, link_url, url_id) VALUES (:campaign_activity, :link_url, :url_id) RETURNING key;

-- add_activity: Insert an activity, unless one with its key or event id exists.
INSERT INTO tracking_activity (
    contact, type, created_time, identity, campaign_activity,
    person, link, device_type, bounce_code, opt_out_reason, event_id, contact_order
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING;

-- add_engagement: Insert a contact's engagement with a campaign activity by type, unless it exists. Served by the
-- primary key.
INSERT INTO engagement (campaign_activity, type, contact, activities, last_time) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING;

-- increment_engagement: Increment engagement by contact. Served by the primary key.
UPDATE engagement SET activities = activities + ?4, last_time = max(last_time, ?5)
WHERE campaign_activity = ?1 AND type = ?2 AND contact = ?3;

-- add_bounced_contact: Insert a contact's bounces with a code, unless they exist. Served by the primary key.
INSERT INTO bounced_contact (campaign_activity, bounce_code, contact, activities) VALUES (?, ?, ?, ?)
ON CONFLICT DO NOTHING;

-- increment_bounced_contact: Increment bounces by contact and code. Served by the primary key.
UPDATE bounced_contact SET activities = activities + ?4
WHERE campaign_activity = ?1 AND bounce_code = ?2 AND contact = ?3;

-- add_clicked_link: Insert a click of a contact on a link, unless it exists. Served by the primary key.
INSERT INTO clicked_link (campaign_activity, link, contact) VALUES (?, ?, ?) ON CONFLICT DO NOTHING;

-- increment_stats: Increment the stats of campaign activities. Served by the primary key.
INSERT INTO campaign_activity_stats (campaign_activity, type, detail, total, contacts, last_time)
VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
    total     = total + excluded.total,
    contacts  = contacts + excluded.contacts,
    last_time = max(last_time, excluded.last_time);

-- increment_hours: Increment the hours of campaign activities. Served by the primary key.
INSERT INTO campaign_activity_hour (campaign_activity, hour, type, total) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET total = total + excluded.total;
