-- add_activities: records; one that is there already, by key or by event id, changes nothing. A cluster sends each of
-- a few rows of VALUES to its shard, but the rows of a SELECT by way of files to all; :rows are those rows.
INSERT INTO tracking_activity (
    created_time, identity, campaign_activity, person, link, type, device_type, bounce_code, contact,
    opt_out_reason, event_id
)
VALUES :rows
ON CONFLICT DO NOTHING
RETURNING contact, type, created_time, identity

-- add_contacts: contacts come into being.
INSERT INTO contact (key, account, contact_id, email_address, first_name, last_name)
VALUES :rows
ON CONFLICT DO NOTHING

-- add_persons: what is said of contacts.
INSERT INTO person (contact, key, email_address, first_name, last_name)
VALUES :rows
ON CONFLICT DO NOTHING

-- grow_engagement: what contacts did with campaign activities. Served by the primary key.
INSERT INTO engagement AS known (campaign_activity, type, contact, activities, last_time)
VALUES :rows
ON CONFLICT (campaign_activity, type, contact) DO UPDATE SET
    activities = known.activities + excluded.activities,
    last_time  = greatest(known.last_time, excluded.last_time)
RETURNING campaign_activity, type, contact, activities

-- grow_bounced_contact: with which codes mail came back. Served by the primary key.
INSERT INTO bounced_contact AS known (campaign_activity, bounce_code, contact, activities)
VALUES :rows
ON CONFLICT (campaign_activity, bounce_code, contact) DO UPDATE SET
    activities = known.activities + excluded.activities
RETURNING campaign_activity, bounce_code, contact, activities

-- add_clicked_links: who clicked which link. Served by the primary key.
INSERT INTO clicked_link (campaign_activity, link, contact)
VALUES :rows
ON CONFLICT (campaign_activity, link, contact) DO NOTHING

-- grow_stats: the totals of campaign activities, in their buckets. Served by the primary key.
INSERT INTO campaign_activity_stats AS known (campaign_activity, type, detail, total, contacts, last_time, bucket)
VALUES :rows
ON CONFLICT (campaign_activity, type, detail, bucket) DO UPDATE SET
    total     = known.total + excluded.total,
    contacts  = known.contacts + excluded.contacts,
    last_time = greatest(known.last_time, excluded.last_time)

-- grow_hours: how many in an hour, in their buckets. Served by the primary key.
INSERT INTO campaign_activity_hour AS known (campaign_activity, hour, type, total, bucket)
VALUES :rows
ON CONFLICT (campaign_activity, hour, type, bucket) DO UPDATE SET total = known.total + excluded.total

-- state_contacts: what is stated of contacts now; who is new comes into being. Served by the primary key.
INSERT INTO contact (
    key, account, contact_id, email_address, first_name, last_name,
    created_at, updated_at, deleted_at, facts
)
VALUES :rows
ON CONFLICT (key) DO UPDATE SET
    created_at = excluded.created_at,
    updated_at = excluded.updated_at,
    deleted_at = excluded.deleted_at,
    facts      = excluded.facts
RETURNING key, email_address, first_name, last_name
