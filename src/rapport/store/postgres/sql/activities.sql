-- contact_exists: Check whether a contact exists. Served by the primary key.
SELECT 1 FROM contact WHERE key = :contact

-- list_newest_of_type: Read one ordered range of the clustered key. A page merges one for each requested type.
(SELECT created_time, identity, type, campaign_activity
 FROM tracking_activity
 WHERE contact = $1 AND type = {type} AND created_time >= $2 AND (created_time, identity) < ($3, $4)
 ORDER BY created_time DESC, identity DESC LIMIT $5)

-- list_newest: Merge the ranges, with the revision of names, by which cached names are validated. Served by the primary
-- keys.
SELECT created_time, identity, type, campaign_activity,
       (SELECT number FROM revision WHERE of = 'campaign_activity') AS revision
FROM ({ranges}) AS merged
ORDER BY created_time DESC, identity DESC LIMIT $5

-- list_with_details: Merge the ranges, with everything that was recorded.
SELECT merged.created_time, merged.identity, merged.type, event_id, device_type, bounce_code, opt_out_reason,
       campaign_activity.campaign_activity_id, campaign_activity.campaign_activity_name, campaign.campaign_id,
       link.link_url, link.url_id, person.email_address, person.first_name, person.last_name
FROM ({ranges}) AS merged
JOIN tracking_activity ON tracking_activity.contact = $1 AND tracking_activity.type = merged.type
 AND tracking_activity.created_time = merged.created_time AND tracking_activity.identity = merged.identity
JOIN campaign_activity ON campaign_activity.key = merged.campaign_activity
LEFT JOIN campaign ON campaign.key = campaign_activity.campaign
LEFT JOIN link ON link.key = tracking_activity.link
LEFT JOIN person ON person.contact = $1 AND person.key = tracking_activity.person
ORDER BY merged.created_time DESC, merged.identity DESC LIMIT $5

-- name_campaign_activities: Get the current names of campaign activities. Served by the primary key.
SELECT key, campaign_activity_id, campaign_activity_name FROM campaign_activity WHERE key = ANY($1)

-- count_by_type: Count a contact's activities of each type in a period. By ranges of the primary key.
SELECT type, count(*)
FROM tracking_activity
WHERE contact = :contact AND type BETWEEN 0 AND 9 AND created_time BETWEEN :start AND :end
GROUP BY type ORDER BY type

-- count_by_quarter_hour: Count a contact's activities in each quarter of an hour since 1970. By ranges of the primary
-- key.
SELECT floor(extract(epoch FROM created_time) / 900)::bigint AS quarter, count(*)
FROM tracking_activity
WHERE contact = :contact AND type BETWEEN 0 AND 9 AND created_time BETWEEN :start AND :end
GROUP BY quarter ORDER BY quarter

-- list_sent: Count the activities of each type for the campaign activities sent to a contact. By ranges of the primary
-- key; the "+ 0" keeps it from the index by campaign activity, where a contact stands among all others.
WITH sent AS MATERIALIZED (
    SELECT campaign_activity.key, campaign_activity_id, max(created_time) AS start_on
    FROM tracking_activity JOIN campaign_activity ON campaign_activity.key = tracking_activity.campaign_activity
    WHERE contact = :contact AND type = 0
    GROUP BY campaign_activity.key, campaign_activity_id
    HAVING max(created_time) >= :not_before AND (max(created_time), campaign_activity_id COLLATE "C") < (:after_time, :after_id)
    ORDER BY start_on DESC, campaign_activity_id COLLATE "C" DESC LIMIT :limit
)
SELECT sent.campaign_activity_id, sent.start_on,
       count(*) FILTER (WHERE type = 0), count(*) FILTER (WHERE type = 1), count(*) FILTER (WHERE type = 2),
       count(*) FILTER (WHERE type = 3), count(*) FILTER (WHERE type = 4), count(*) FILTER (WHERE type = 5)
FROM tracking_activity JOIN sent ON sent.key = tracking_activity.campaign_activity + 0
WHERE contact = :contact AND type BETWEEN 0 AND 5
GROUP BY sent.campaign_activity_id, sent.start_on
ORDER BY sent.start_on DESC, sent.campaign_activity_id COLLATE "C" DESC

-- count_engagement: Count what was sent to a contact in a period, and what of it was opened and clicked. By ranges of
-- the primary key.
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
FROM sent

-- list_of_contacts: List the activities of some contacts in a period with all details. Served by the primary keys.
SELECT contact.contact_id, activity.created_time, activity.identity, activity.type, event_id, device_type, bounce_code,
       activity.opt_out_reason, campaign_activity.campaign_activity_id, campaign_activity.campaign_activity_name,
       campaign.campaign_id, link.link_url, link.url_id, person.email_address, person.first_name, person.last_name
FROM tracking_activity AS activity
JOIN contact ON contact.key = activity.contact
LEFT JOIN campaign_activity ON campaign_activity.key = activity.campaign_activity
LEFT JOIN campaign ON campaign.key = campaign_activity.campaign
LEFT JOIN link ON link.key = activity.link
LEFT JOIN person ON person.contact = activity.contact AND person.key = activity.person
WHERE activity.contact = ANY($1::bytea[]) AND activity.type BETWEEN 0 AND 9 AND activity.created_time BETWEEN $2 AND $3
LIMIT $4
