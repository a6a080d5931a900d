-- get_activity_stats: Get the stats of campaign activities. Served by the unique keys and the primary key.
SELECT campaign_activity_id, campaign_id, type, detail, total, contacts, last_time
FROM carray(:ids) AS requested
CROSS JOIN campaign_activity
  ON campaign_activity.account = (SELECT key FROM account WHERE account_id = :account_id)
 AND campaign_activity_id = requested.value
LEFT JOIN campaign ON campaign.key = campaign_activity.campaign
LEFT JOIN campaign_activity_stats ON campaign_activity_stats.campaign_activity = campaign_activity.key;

-- get_campaign_stats: Get the stats of all campaign activities of campaigns. Served by campaign_activity_by_campaign in
-- addition.
SELECT campaign_activity_id, campaign_id, type, detail, total, contacts, last_time
FROM carray(:ids) AS requested
CROSS JOIN campaign
  ON campaign.account = (SELECT key FROM account WHERE account_id = :account_id) AND campaign_id = requested.value
CROSS JOIN campaign_activity ON campaign_activity.campaign = campaign.key
LEFT JOIN campaign_activity_stats ON campaign_activity_stats.campaign_activity = campaign_activity.key;

-- list_sent_campaigns: List the campaigns of an account, most recently sent first. Reads the stats of all campaigns of
-- the account. Served by the unique keys and the primary key; all of the account's campaigns are read, a row each.
SELECT campaign_id, max(last_time) AS last_sent
FROM campaign
CROSS JOIN campaign_activity ON campaign_activity.campaign = campaign.key
CROSS JOIN campaign_activity_stats ON campaign_activity_stats.campaign_activity = campaign_activity.key
       AND type = 0 AND detail = -1
WHERE campaign.account = (SELECT key FROM account WHERE account_id = :account_id)
GROUP BY campaign.key
HAVING max(last_time) >= :not_before AND (max(last_time), campaign_id) < (:after_time, :after_id)
ORDER BY last_sent DESC, campaign_id DESC LIMIT :limit;

-- list_recent_sends: List the campaign activities of an account, most recently sent first. Reads the stats of all
-- campaign activities of the account. Served by the unique keys and the primary key; all of the account's are read, a
-- row each.
SELECT campaign_activity_id, campaign_activity_name, last_time
FROM campaign_activity
CROSS JOIN campaign_activity_stats ON campaign_activity_stats.campaign_activity = campaign_activity.key
       AND type = 0 AND detail = -1
WHERE campaign_activity.account = (SELECT key FROM account WHERE account_id = :account_id)
ORDER BY last_time DESC, campaign_activity_id DESC LIMIT :limit;

-- count_activity_by_hour: Count the activities of a campaign activity by hour and type. Served by the unique keys and a
-- range of the primary key.
SELECT hour, type, total
FROM campaign_activity
CROSS JOIN campaign_activity_hour ON campaign_activity_hour.campaign_activity = campaign_activity.key
WHERE campaign_activity.account = (SELECT key FROM account WHERE account_id = :account_id)
  AND campaign_activity_id = :campaign_activity_id
ORDER BY hour, type;

-- count_account_by_hour: Count the activities of all campaign activities of an account in a period by hour and type.
-- Served by the unique keys and a range of the primary key for each.
SELECT hour, type, sum(total)
FROM campaign_activity
CROSS JOIN campaign_activity_hour ON campaign_activity_hour.campaign_activity = campaign_activity.key
WHERE campaign_activity.account = (SELECT key FROM account WHERE account_id = :account_id)
  AND hour >= :start AND hour < :end
GROUP BY hour, type ORDER BY hour, type;

-- campaign_activity_key: Get the key of a campaign activity. Served by the unique keys.
SELECT campaign_activity.key
FROM account JOIN campaign_activity ON campaign_activity.account = account.key
WHERE account.account_id = :account_id AND campaign_activity_id = :campaign_activity_id;

-- contact_key: Get the key of a page's last contact. Served by unique (account_id) and unique (account, contact_id).
SELECT contact.key
FROM account JOIN contact ON contact.account = account.key
WHERE account.account_id = :account_id AND contact.contact_id = :contact_id;

-- list_links: List the links of a campaign activity, or those with a url_id: their own, or else from their digest.
-- Served by link_by_campaign_activity alone.
SELECT key, link_url, url_id FROM link WHERE campaign_activity = :campaign_activity;

-- tracking_page: Read a page with all details. Served by one ordered range of the index, then by the primary keys. The
-- first profile of a contact, number 1, is in the contact's row unless it has a row of its own.
SELECT activity.created_time, activity.identity, contact.contact_id,
       iif(activity.person = 1 AND person.number IS NULL, contact.email_address, person.email_address),
       iif(activity.person = 1 AND person.number IS NULL, contact.first_name, person.first_name),
       iif(activity.person = 1 AND person.number IS NULL, contact.last_name, person.last_name),
       contact.email_address, contact.first_name, contact.last_name, contact.deleted_at,
       activity.device_type, activity.bounce_code, activity.opt_out_reason, link.link_url, link.url_id,
       activity.event_id, activity.contact_order, activity.contact
FROM (
    SELECT contact, type, created_time, identity FROM tracking_activity AS candidate
    WHERE campaign_activity = :campaign_activity AND type = :type AND created_time >= :not_before
      AND (created_time, contact_order, contact, identity)
          < (:after_time, :after_order, :after_contact, :after_identity)
      {selection}
    ORDER BY created_time DESC, contact_order DESC, contact DESC, identity DESC LIMIT :limit
) AS found
CROSS JOIN tracking_activity AS activity ON activity.contact = found.contact AND activity.type = found.type
       AND activity.created_time = found.created_time AND activity.identity = found.identity
CROSS JOIN contact ON contact.key = activity.contact
LEFT JOIN person ON person.contact = activity.contact AND person.number = activity.person
LEFT JOIN link ON link.key = activity.link;

-- by_link: Select only the clicks on some links. Served by the same range, which is read through.
AND coalesce(link, 0) IN (SELECT value FROM carray(:links))

-- by_bounce_code: Select only bounces with some codes; an unknown code is X. Served by the same range, read through.
AND (:bounce_bits >> coalesce(bounce_code, 5)) & 1;

-- by_contact: Select only activities of contacts whose name or address contains a text. Every row of the range is
-- looked up by the primary key.
AND (
    SELECT instr(lower(concat_ws(' ', first_name, last_name, email_address)), :contacts_filter) FROM contact
    WHERE contact.key = candidate.contact
);

-- latest_per_contact: Select only each contact's latest activity. Every row of the range is looked up in the
-- engagement.
AND created_time = (
    SELECT last_time FROM engagement
    WHERE engagement.campaign_activity = candidate.campaign_activity AND engagement.type = candidate.type
      AND engagement.contact = candidate.contact
)
AND identity = (
    SELECT max(same_time.identity) FROM tracking_activity AS same_time
    WHERE same_time.contact = candidate.contact AND same_time.type = candidate.type AND same_time.created_time = candidate.created_time
      AND +same_time.campaign_activity = candidate.campaign_activity
);

-- not_opened: Select only each contact's latest activity, if the contact neither opened the email (1) nor did it bounce
-- (3).
AND created_time = (
    SELECT last_time FROM engagement
    WHERE engagement.campaign_activity = candidate.campaign_activity AND engagement.type = candidate.type
      AND engagement.contact = candidate.contact
)
AND identity = (
    SELECT max(same_time.identity) FROM tracking_activity AS same_time
    WHERE same_time.contact = candidate.contact AND same_time.type = candidate.type AND same_time.created_time = candidate.created_time
      AND +same_time.campaign_activity = candidate.campaign_activity
)
AND NOT EXISTS (
    SELECT 1 FROM engagement
    WHERE engagement.campaign_activity = candidate.campaign_activity AND engagement.type IN (1, 3)
      AND engagement.contact = candidate.contact
);

-- latest_per_contact_and_link: Select only each contact's latest click on each link. Every row of the range is compared
-- with the contact's later ones.
AND NOT EXISTS (
    SELECT 1 FROM tracking_activity AS later
    WHERE later.contact = candidate.contact AND later.type = candidate.type
      AND (later.created_time, later.identity) > (candidate.created_time, candidate.identity)
      AND +later.campaign_activity = candidate.campaign_activity AND later.link IS candidate.link
);

-- group_links: Group the links of a campaign activity by address, or by id if they have none: the key of the first, and
-- all keys. Served by two ranges of link_by_campaign_activity, in its order.
SELECT min(key), group_concat(key) FROM link
WHERE campaign_activity = :campaign_activity AND link_url IS NOT NULL
GROUP BY link_url
UNION ALL
SELECT min(key), group_concat(key) FROM link
WHERE campaign_activity = :campaign_activity AND link_url IS NULL
GROUP BY url_id;

-- name_links: Get the addresses and ids of links. Served by the primary key.
SELECT key, link_url, url_id FROM carray(:links) AS requested CROSS JOIN link ON link.key = requested.value;

-- count_clickers: Count the contacts that clicked each link. Served by one range of the primary key.
SELECT link, count(*) FROM clicked_link WHERE campaign_activity = :campaign_activity GROUP BY link;

-- count_erased_clickers: Count the erased contacts that clicked each link. Served by one range of the primary key.
SELECT link, contacts FROM erased_link WHERE campaign_activity = :campaign_activity;

-- count_clickers_of_links: Count the contacts that clicked any of some links. Served by ranges of the primary key.
SELECT count(DISTINCT contact) FROM clicked_link
WHERE campaign_activity = :campaign_activity AND link IN (SELECT value FROM carray(:links));

-- find_with_several_profiles: Find the contacts with profiles in rows of their own. Served by the primary key.
SELECT value FROM carray(:contacts) WHERE EXISTS (SELECT 1 FROM person WHERE person.contact = value);

-- list_profiles: List the profiles that activities of contacts reported until a time. Served by the primary keys.
SELECT activity.contact, activity.created_time, activity.identity,
       iif(activity.person = 1 AND person.number IS NULL, contact.email_address, person.email_address),
       iif(activity.person = 1 AND person.number IS NULL, contact.first_name, person.first_name),
       iif(activity.person = 1 AND person.number IS NULL, contact.last_name, person.last_name)
FROM carray(:contacts) AS requested
CROSS JOIN contact ON contact.key = requested.value
CROSS JOIN tracking_activity AS activity ON activity.contact = requested.value
       AND activity.type IN (0, 1, 2, 3, 4, 5, 6, 7, 8, 9) AND activity.created_time <= :until
LEFT JOIN person ON person.contact = activity.contact AND person.number = activity.person
WHERE activity.person IS NOT NULL;
