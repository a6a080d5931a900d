-- add_activities: Insert activities, unless they exist. A cluster sends each of a few rows of VALUES to its shard, but
-- the rows of a SELECT, by way of files, to all. {rows} are the rows.
INSERT INTO tracking_activity (
    created_time, identity, campaign_activity, person, link, type, device_type, bounce_code, contact,
    opt_out_reason, event_id
)
VALUES {rows}
ON CONFLICT DO NOTHING
RETURNING contact, type, created_time, identity

-- add_contacts: Create contacts.
INSERT INTO contact (
    key, account, contact_id, email_address, first_name, last_name, created_at, updated_at
)
VALUES {rows}
ON CONFLICT DO NOTHING
RETURNING key

-- add_profiles: Add profiles of contacts.
INSERT INTO person (contact, key, email_address, first_name, last_name)
VALUES {rows}
ON CONFLICT DO NOTHING

-- increment_engagement: Increment engagement by contact. Served by the primary key.
INSERT INTO engagement AS stored (campaign_activity, type, contact, activities, last_time)
VALUES {rows}
ON CONFLICT (campaign_activity, type, contact) DO UPDATE SET
    activities = stored.activities + excluded.activities,
    last_time  = greatest(stored.last_time, excluded.last_time)
RETURNING campaign_activity, type, contact, activities

-- increment_bounced_contact: Increment bounces by contact and code. Served by the primary key.
INSERT INTO bounced_contact AS stored (campaign_activity, bounce_code, contact, activities)
VALUES {rows}
ON CONFLICT (campaign_activity, bounce_code, contact) DO UPDATE SET
    activities = stored.activities + excluded.activities
RETURNING campaign_activity, bounce_code, contact, activities

-- add_clicked_links: Insert clicks of contacts on links, unless they exist. Served by the primary key.
INSERT INTO clicked_link (campaign_activity, link, contact)
VALUES {rows}
ON CONFLICT (campaign_activity, link, contact) DO NOTHING

-- increment_stats: Increment the stats of campaign activities. Served by the primary key.
INSERT INTO campaign_activity_stats AS stored (campaign_activity, type, detail, total, contacts, last_time, bucket)
VALUES {rows}
ON CONFLICT (campaign_activity, type, detail, bucket) DO UPDATE SET
    total     = stored.total + excluded.total,
    contacts  = stored.contacts + excluded.contacts,
    last_time = greatest(stored.last_time, excluded.last_time)

-- increment_hours: Increment the hours of campaign activities. Served by the primary key.
INSERT INTO campaign_activity_hour AS stored (campaign_activity, hour, type, total, bucket)
VALUES {rows}
ON CONFLICT (campaign_activity, hour, type, bucket) DO UPDATE SET total = stored.total + excluded.total

-- upsert: Set the attributes of contacts, creating those that don't exist. Served by the primary key.
INSERT INTO contact (
    key, account, contact_id, email_address, first_name, last_name,
    created_at, updated_at, deleted_at, facts
)
VALUES {rows}
ON CONFLICT (key) DO UPDATE SET
    deleted_at = excluded.deleted_at,
    facts      = excluded.facts
RETURNING key, email_address, first_name, last_name
