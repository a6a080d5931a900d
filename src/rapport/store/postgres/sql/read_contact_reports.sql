-- sent_campaign_activities: what was sent to a contact, and how much came of it. By ranges of the primary key; the
-- "+ 0" keeps it from the index by campaign activity, where a contact stands among all others.
WITH sent AS MATERIALIZED (
    SELECT campaign_activity.key, campaign_activity_id, max(created_time) AS start_on
    FROM tracking_activity JOIN campaign_activity ON campaign_activity.key = tracking_activity.campaign_activity
    WHERE contact = $1 AND type = 0
    GROUP BY campaign_activity.key, campaign_activity_id
    HAVING max(created_time) >= $2 AND (max(created_time), campaign_activity_id COLLATE "C") < ($3, $4)
    ORDER BY start_on DESC, campaign_activity_id COLLATE "C" DESC LIMIT $5
)
SELECT sent.campaign_activity_id, sent.start_on,
       count(*) FILTER (WHERE type = 0), count(*) FILTER (WHERE type = 1), count(*) FILTER (WHERE type = 2),
       count(*) FILTER (WHERE type = 3), count(*) FILTER (WHERE type = 4), count(*) FILTER (WHERE type = 5)
FROM tracking_activity JOIN sent ON sent.key = tracking_activity.campaign_activity + 0
WHERE contact = $1 AND type BETWEEN 0 AND 5
GROUP BY sent.campaign_activity_id, sent.start_on
ORDER BY sent.start_on DESC, sent.campaign_activity_id COLLATE "C" DESC

-- reached: how much was sent to a contact in a time, opened and clicked. By ranges of the primary key.
WITH sent AS (
    SELECT campaign_activity FROM tracking_activity
    WHERE contact = $1 AND type = 0
    GROUP BY campaign_activity
    HAVING max(created_time) BETWEEN $2 AND $3
)
SELECT count(*),
       count(*) FILTER (WHERE campaign_activity IN (
           SELECT campaign_activity FROM tracking_activity WHERE contact = $1 AND type = 1)),
       count(*) FILTER (WHERE campaign_activity IN (
           SELECT campaign_activity FROM tracking_activity WHERE contact = $1 AND type = 2))
FROM sent

-- contact: whether there is such a contact. Served by the primary key.
SELECT 1 FROM contact WHERE key = $1

-- activity_counts: how many activities of each type a contact has within some time. By ranges of the primary key.
SELECT type, count(*)
FROM tracking_activity
WHERE contact = $1 AND type BETWEEN 0 AND 9 AND created_time BETWEEN $2 AND $3
GROUP BY type ORDER BY type

-- activity_quarters: how many it has in each quarter of an hour since 1970. By ranges of the primary key.
SELECT floor(extract(epoch FROM created_time) / 900)::bigint AS quarter, count(*)
FROM tracking_activity
WHERE contact = $1 AND type BETWEEN 0 AND 9 AND created_time BETWEEN $2 AND $3
GROUP BY quarter ORDER BY quarter
