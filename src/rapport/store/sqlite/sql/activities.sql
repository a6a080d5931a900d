-- contact_key: Get the key of a contact. Served by unique (account_id) and unique (account, contact_id).
SELECT contact.key
FROM account JOIN contact ON contact.account = account.key
WHERE account.account_id = :account_id AND contact.contact_id = :contact_id;

-- list_newest_of_type: Read one ordered range of the clustered key. A page merges one for each requested type.
SELECT created_time, identity, type, campaign_activity
FROM tracking_activity
WHERE contact = :contact AND type = :type AND created_time >= :not_before
  AND (created_time, identity) < (:after_time, :after_identity)

-- newest_first: Order the merged ranges.
ORDER BY created_time DESC, identity DESC LIMIT :limit

-- list_with_details_of_type: Read the same range with everything that was recorded. A contact's first profile, number
-- 1, is in the contact's row unless it has a row of its own.
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

-- name_campaign_activity: Get the current name of a campaign activity. Served by the primary key.
SELECT campaign_activity_id, campaign_activity_name FROM campaign_activity WHERE key = :key;

-- names_revision: Get the revision of names, by which cached names are validated. Served by the primary key.
SELECT number FROM revision WHERE of = 'campaign_activity';

-- count_by_type: Count a contact's activities of each type in a period. By ranges of the clustered key.
SELECT type, count(*)
FROM tracking_activity
WHERE contact = :contact AND type IN (0, 1, 2, 3, 4, 5, 6, 7, 8, 9) AND created_time BETWEEN :start AND :end
GROUP BY type ORDER BY type;

-- count_by_quarter_hour: Count a contact's activities in each quarter of an hour since 1970. By ranges of the clustered
-- key.
SELECT created_time / 900000 AS quarter, count(*)
FROM tracking_activity
WHERE contact = :contact AND type IN (0, 1, 2, 3, 4, 5, 6, 7, 8, 9) AND created_time BETWEEN :start AND :end
GROUP BY quarter ORDER BY quarter;

-- list_sent: Count the activities of each type for the campaign activities sent to a contact. By ranges of the
-- clustered key.
WITH sent AS MATERIALIZED (
    SELECT campaign_activity.key, campaign_activity_id, max(created_time) AS start_on
    FROM tracking_activity JOIN campaign_activity ON campaign_activity.key = tracking_activity.campaign_activity
    WHERE contact = :contact AND type = 0
    GROUP BY campaign_activity.key
    HAVING max(created_time) >= :not_before
       AND (max(created_time), campaign_activity_id) < (:after_time, :after_id)
    ORDER BY start_on DESC, campaign_activity_id DESC LIMIT :limit
)
SELECT sent.campaign_activity_id, sent.start_on,
       count(*) FILTER (WHERE type = 0), count(*) FILTER (WHERE type = 1), count(*) FILTER (WHERE type = 2),
       count(*) FILTER (WHERE type = 3), count(*) FILTER (WHERE type = 4), count(*) FILTER (WHERE type = 5)
FROM tracking_activity JOIN sent ON sent.key = tracking_activity.campaign_activity
WHERE contact = :contact AND type IN (0, 1, 2, 3, 4, 5)
GROUP BY sent.campaign_activity_id, sent.start_on
ORDER BY sent.start_on DESC, sent.campaign_activity_id DESC;

-- count_engagement: Count what was sent to a contact in a period, and what of it was opened and clicked. By ranges of
-- the clustered key.
WITH sent AS (
    SELECT campaign_activity FROM tracking_activity
    WHERE contact = :contact AND type = 0
    GROUP BY campaign_activity
    HAVING max(created_time) BETWEEN :start AND :end
)
SELECT count(*),
       count(*) FILTER (WHERE campaign_activity IN (
           SELECT campaign_activity FROM tracking_activity WHERE contact = :contact AND type = 1)),
       count(*) FILTER (WHERE campaign_activity IN (
           SELECT campaign_activity FROM tracking_activity WHERE contact = :contact AND type = 2))
FROM sent;

-- list_of_contacts: List the activities of some contacts in a period with all details. Served by unique (account,
-- contact_id) and ranges of the clustered key.
SELECT contact.contact_id, created_time, identity, type, event_id, device_type, bounce_code,
       tracking_activity.opt_out_reason, campaign_activity.campaign_activity_id,
       campaign_activity.campaign_activity_name, campaign.campaign_id, link.link_url, link.url_id,
       iif(tracking_activity.person = 1 AND person.number IS NULL, contact.email_address, person.email_address),
       iif(tracking_activity.person = 1 AND person.number IS NULL, contact.first_name, person.first_name),
       iif(tracking_activity.person = 1 AND person.number IS NULL, contact.last_name, person.last_name)
FROM carray(:contact_ids) AS requested
CROSS JOIN contact ON contact.account = (SELECT key FROM account WHERE account_id = :account_id)
 AND contact.contact_id = requested.value
CROSS JOIN tracking_activity ON tracking_activity.contact = contact.key
 AND type IN (0, 1, 2, 3, 4, 5, 6, 7, 8, 9) AND created_time BETWEEN :start AND :end
CROSS JOIN campaign_activity ON campaign_activity.key = tracking_activity.campaign_activity
LEFT JOIN campaign ON campaign.key = campaign_activity.campaign
LEFT JOIN link ON link.key = tracking_activity.link
LEFT JOIN person ON person.contact = tracking_activity.contact AND person.number = tracking_activity.person
LIMIT :limit;
