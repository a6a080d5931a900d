-- sent_campaign_activities: what was sent to a contact, and how much came of it. By ranges of the clustered key.
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

-- reached: how much was sent to a contact in a time, opened and clicked. By ranges of the clustered key.
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

-- activity_counts: how many activities of each type a contact has within some time. By ranges of the clustered key.
SELECT type, count(*)
FROM tracking_activity
WHERE contact = :contact AND type IN (0, 1, 2, 3, 4, 5, 6, 7, 8, 9) AND created_time BETWEEN :start AND :end
GROUP BY type ORDER BY type;

-- activity_quarters: how many it has in each quarter of an hour since 1970. By ranges of the clustered key.
SELECT created_time / 900000 AS quarter, count(*)
FROM tracking_activity
WHERE contact = :contact AND type IN (0, 1, 2, 3, 4, 5, 6, 7, 8, 9) AND created_time BETWEEN :start AND :end
GROUP BY quarter ORDER BY quarter;
