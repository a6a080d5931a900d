-- list_ids: List the ids of all accounts.
SELECT account_id FROM account ORDER BY account_id

-- get_key: Get the key of an account. Served by unique (account_id).
SELECT key FROM account WHERE account_id = :account_id

-- add: Create an account, unless it exists.
INSERT INTO account (account_id, created_time) VALUES (:account_id, :created_time)
ON CONFLICT DO NOTHING RETURNING key

-- get_details: Get the details of an account. Served by the primary key.
SELECT
    organization_name, contact_email, first_name, last_name, phone, country_code, time_zone_id,
    address_line1, address_line2, address_line3, city, state_code, state_name, postal_code
FROM account_details WHERE account_id = :account_id

-- set_details: Replace the details of an account. Served by the primary key.
INSERT INTO account_details (
    account_id, organization_name, contact_email, first_name, last_name, phone, country_code, time_zone_id,
    address_line1, address_line2, address_line3, city, state_code, state_name, postal_code
)
VALUES (
    :account_id, :organization_name, :contact_email, :first_name, :last_name, :phone, :country_code, :time_zone_id,
    :address_line1, :address_line2, :address_line3, :city, :state_code, :state_name, :postal_code
)
ON CONFLICT (account_id) DO UPDATE SET
    organization_name = excluded.organization_name, contact_email = excluded.contact_email,
    first_name = excluded.first_name, last_name = excluded.last_name, phone = excluded.phone,
    country_code = excluded.country_code, time_zone_id = excluded.time_zone_id,
    address_line1 = excluded.address_line1, address_line2 = excluded.address_line2,
    address_line3 = excluded.address_line3, city = excluded.city, state_code = excluded.state_code,
    state_name = excluded.state_name, postal_code = excluded.postal_code

-- delete_engagement: Delete the engagement of an account's campaign activities. Served by an index on them.
DELETE FROM engagement WHERE campaign_activity IN (
    SELECT campaign_activity.key FROM account JOIN campaign_activity ON campaign_activity.account = account.key
    WHERE account.account_id = :account_id
)

-- delete_bounced_contacts: Delete the bounced contacts of an account's campaign activities. Served by an index on them.
DELETE FROM bounced_contact WHERE campaign_activity IN (
    SELECT campaign_activity.key FROM account JOIN campaign_activity ON campaign_activity.account = account.key
    WHERE account.account_id = :account_id
)

-- delete_clicked_links: Delete the clicked links of an account's campaign activities. Served by an index on them.
DELETE FROM clicked_link WHERE campaign_activity IN (
    SELECT campaign_activity.key FROM account JOIN campaign_activity ON campaign_activity.account = account.key
    WHERE account.account_id = :account_id
)

-- delete_stats: Delete the stats of an account's campaign activities. Served by an index on them.
DELETE FROM campaign_activity_stats WHERE campaign_activity IN (
    SELECT campaign_activity.key FROM account JOIN campaign_activity ON campaign_activity.account = account.key
    WHERE account.account_id = :account_id
)

-- delete_hours: Delete the hours of an account's campaign activities. Served by an index on them.
DELETE FROM campaign_activity_hour WHERE campaign_activity IN (
    SELECT campaign_activity.key FROM account JOIN campaign_activity ON campaign_activity.account = account.key
    WHERE account.account_id = :account_id
)

-- delete_erased_stats: Delete the stats of erased contacts of an account's campaign activities. Served by an index on them.
DELETE FROM erased_stats WHERE campaign_activity IN (
    SELECT campaign_activity.key FROM account JOIN campaign_activity ON campaign_activity.account = account.key
    WHERE account.account_id = :account_id
)

-- delete_erased_hours: Delete the hours of erased contacts of an account's campaign activities. Served by an index on them.
DELETE FROM erased_hour WHERE campaign_activity IN (
    SELECT campaign_activity.key FROM account JOIN campaign_activity ON campaign_activity.account = account.key
    WHERE account.account_id = :account_id
)

-- delete_erased_links: Delete the link counts of erased contacts of an account's campaign activities. Served by an index on them.
DELETE FROM erased_link WHERE campaign_activity IN (
    SELECT campaign_activity.key FROM account JOIN campaign_activity ON campaign_activity.account = account.key
    WHERE account.account_id = :account_id
)

-- delete_links: Delete the links of an account's campaign activities. Served by an index on them.
DELETE FROM link WHERE campaign_activity IN (
    SELECT campaign_activity.key FROM account JOIN campaign_activity ON campaign_activity.account = account.key
    WHERE account.account_id = :account_id
)

-- delete_campaign_activities: Delete the campaign activities of an account. Served by unique (account, campaign_activity_id).
DELETE FROM campaign_activity WHERE account = (SELECT key FROM account WHERE account_id = :account_id)

-- delete_campaigns: Delete the campaigns of an account. Served by unique (account, campaign_id).
DELETE FROM campaign WHERE account = (SELECT key FROM account WHERE account_id = :account_id)

-- delete_memberships: Delete the memberships of an account's lists and tags. Served by the primary key.
DELETE FROM membership WHERE account = (SELECT key FROM account WHERE account_id = :account_id)

-- delete_definitions: Delete the lists, tags and custom fields of an account. Served by the primary key.
DELETE FROM definition WHERE account = (SELECT key FROM account WHERE account_id = :account_id)

-- delete_merged_contacts: Delete the ids of an account's merged contacts. Served by the primary key.
DELETE FROM merged_contact WHERE account = (SELECT key FROM account WHERE account_id = :account_id)

-- delete_tombstones: Delete the tombstones of an account's contacts. Reads all tombstones.
DELETE FROM erased_contact WHERE account = (SELECT key FROM account WHERE account_id = :account_id)

-- delete_feed: Delete the rows of an account in the feed, which is small. Reads all of it.
DELETE FROM feed WHERE account_id = :account_id

-- delete_captured_messages: Delete what hooks captured for an account. Served by an index on it.
DELETE FROM captured_message WHERE account = (SELECT key FROM account WHERE account_id = :account_id)

-- delete_unmatched_items: Delete what hooks captured for an account. Served by an index on it.
DELETE FROM unmatched_item WHERE account = (SELECT key FROM account WHERE account_id = :account_id)

-- delete_details: Delete the details of an account. Served by the primary key.
DELETE FROM account_details WHERE account_id = :account_id

-- bump_names_revision: Invalidate cached names, as keys may be used again.
UPDATE revision SET number = number + 1 WHERE of = 'campaign_activity'

-- delete_account: Delete an account. Served by unique (account_id).
DELETE FROM account WHERE account_id = :account_id
