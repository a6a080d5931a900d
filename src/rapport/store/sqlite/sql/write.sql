-- account_key: the key of an account. Served by unique (account_id).
SELECT key FROM account WHERE account_id = :account_id;

-- add_account: an account comes into being.
INSERT INTO account (account_id, created_time) VALUES (:account_id, :created_time)
ON CONFLICT DO NOTHING RETURNING key;

-- contacts: what is known of contacts. Served by unique (account, contact_id).
SELECT contact_id, key, email_address, first_name, last_name
FROM carray(:contact_ids) AS wanted
CROSS JOIN contact ON contact.account = :account AND contact.contact_id = wanted.value;

-- add_contact: a contact comes into being.
INSERT INTO contact (account, contact_id, email_address, first_name, last_name) VALUES (?, ?, ?, ?, ?) RETURNING key;

-- persons: what was said of contacts before. Served by the primary key.
SELECT contact, number, email_address, first_name, last_name
FROM carray(:contacts) AS wanted
CROSS JOIN person ON person.contact = wanted.value;

-- keep_person: what was said first of a contact, number 1, gets a row of its own, as the contact's, which has held it
-- until now, is about to change. If anybody said it. Served by the primary keys.
INSERT INTO person (contact, number, email_address, first_name, last_name)
SELECT key, 1, email_address, first_name, last_name FROM contact
WHERE key = :contact AND EXISTS (SELECT 1 FROM tracking_activity WHERE contact = :contact AND person = 1)
ON CONFLICT DO NOTHING RETURNING number;

-- add_person: something new is said of a contact.
INSERT INTO person (contact, number, email_address, first_name, last_name) VALUES (?, ?, ?, ?, ?);

-- learn_email_address: known now, unless a later activity or statement says another one. Served by the primary keys.
UPDATE contact SET email_address = :stated
WHERE key = :contact AND coalesce(facts ->> '$.email_address[1]', 0) <= :created_time AND NOT EXISTS (
    SELECT 1 FROM person CROSS JOIN tracking_activity AS later
    WHERE person.contact = :contact AND person.email_address <> :stated
      AND later.contact = :contact AND later.type IN (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
      AND later.created_time > :created_time AND later.person = person.number
)
RETURNING key;

-- learn_first_name: the same for the first name.
UPDATE contact SET first_name = :stated
WHERE key = :contact AND coalesce(facts ->> '$.first_name[1]', 0) <= :created_time AND NOT EXISTS (
    SELECT 1 FROM person CROSS JOIN tracking_activity AS later
    WHERE person.contact = :contact AND person.first_name <> :stated
      AND later.contact = :contact AND later.type IN (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
      AND later.created_time > :created_time AND later.person = person.number
)
RETURNING key;

-- learn_last_name: the same for the last name.
UPDATE contact SET last_name = :stated
WHERE key = :contact AND coalesce(facts ->> '$.last_name[1]', 0) <= :created_time AND NOT EXISTS (
    SELECT 1 FROM person CROSS JOIN tracking_activity AS later
    WHERE person.contact = :contact AND person.last_name <> :stated
      AND later.contact = :contact AND later.type IN (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
      AND later.created_time > :created_time AND later.person = person.number
)
RETURNING key;

-- campaign_activity: what is known of a campaign activity. Served by unique (account, campaign_activity_id).
SELECT campaign_activity.key, campaign_activity_name, name_time, campaign_id, campaign_time
FROM campaign_activity LEFT JOIN campaign ON campaign.key = campaign_activity.campaign
WHERE campaign_activity.account = :account AND campaign_activity_id = :campaign_activity_id;

-- add_campaign_activity: a campaign activity comes into being.
INSERT INTO campaign_activity (account, campaign_activity_id) VALUES (:account, :campaign_activity_id) RETURNING key;

-- name_campaign_activity: what it is called now, and which activity stated it.
UPDATE campaign_activity SET campaign_activity_name = :campaign_activity_name, name_time = :name_time
WHERE key = :key;

-- place_campaign_activity: which campaign it belongs to, and which activity stated it.
UPDATE campaign_activity SET campaign = :campaign, campaign_time = :campaign_time WHERE key = :key;

-- campaign: the key of a campaign. Served by unique (account, campaign_id).
SELECT key FROM campaign WHERE account = :account AND campaign_id = :campaign_id;

-- add_campaign: a campaign comes into being.
INSERT INTO campaign (account, campaign_id) VALUES (:account, :campaign_id) RETURNING key;

-- revise_campaign_activities: names that are remembered elsewhere have to be read again.
UPDATE revision SET number = number + 1 WHERE of = 'campaign_activity';

-- link: the key of a link. Served by link_by_campaign_activity.
SELECT key FROM link
WHERE campaign_activity = :campaign_activity AND link_url IS :link_url AND url_id IS :url_id;

-- add_link: a link comes into being.
INSERT INTO link (campaign_activity, link_url, url_id) VALUES (:campaign_activity, :link_url, :url_id) RETURNING key;

-- add_activity: the one statement that records. One that is there already, by key or by event id, changes nothing.
INSERT INTO tracking_activity (
    contact, type, created_time, identity, campaign_activity,
    person, link, device_type, bounce_code, opt_out_reason, event_id, contact_order
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING;

-- add_engagement: a contact's first activity of a type with a campaign activity. Served by the primary key.
INSERT INTO engagement (campaign_activity, type, contact, activities, last_time) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING;

-- grow_engagement: more of them, later or not. Served by the primary key.
UPDATE engagement SET activities = activities + ?4, last_time = max(last_time, ?5)
WHERE campaign_activity = ?1 AND type = ?2 AND contact = ?3;

-- add_bounced_contact: mail to a contact came back with a code for the first time. Served by the primary key.
INSERT INTO bounced_contact (campaign_activity, bounce_code, contact, activities) VALUES (?, ?, ?, ?)
ON CONFLICT DO NOTHING;

-- grow_bounced_contact: and again. Served by the primary key.
UPDATE bounced_contact SET activities = activities + ?4
WHERE campaign_activity = ?1 AND bounce_code = ?2 AND contact = ?3;

-- add_clicked_link: a contact clicked a link for the first time. Served by the primary key.
INSERT INTO clicked_link (campaign_activity, link, contact) VALUES (?, ?, ?) ON CONFLICT DO NOTHING;

-- grow_stats: the totals of a campaign activity. Served by the primary key.
INSERT INTO campaign_activity_stats (campaign_activity, type, detail, total, contacts, last_time)
VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
    total     = total + excluded.total,
    contacts  = contacts + excluded.contacts,
    last_time = max(last_time, excluded.last_time);

-- grow_hours: how many in an hour. Served by the primary key.
INSERT INTO campaign_activity_hour (campaign_activity, hour, type, total) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET total = total + excluded.total;

-- count_request: one more request of a client; beyond :a_second in its second, the day's count stays.
INSERT INTO request_count (client_id, second, in_second, day, in_day) VALUES (:client_id, :second, 1, :day, 1)
ON CONFLICT (client_id) DO UPDATE SET
    second    = :second,
    in_second = CASE WHEN second = :second THEN in_second + 1 ELSE 1 END,
    day       = :day,
    in_day    = CASE WHEN day <> :day THEN 1
                     WHEN second = :second AND in_second >= :a_second THEN in_day
                     ELSE in_day + 1 END
RETURNING in_second, in_day;

-- check_readiness: a row that is written to find out whether the database takes writes. Served by the primary key.
INSERT INTO readiness (of, checked_time) VALUES ('server', :now)
ON CONFLICT (of) DO UPDATE SET checked_time = excluded.checked_time;
