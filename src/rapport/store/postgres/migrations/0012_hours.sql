-- How many activities of a type a campaign activity had in each hour, given by the instant at which it begins: from this
-- what happened when is told, at the cost of the hours and not of the activities. Changed as the other counts are, and
-- in buckets as they are.
CREATE TABLE campaign_activity_hour (
    hour              timestamptz NOT NULL,
    campaign_activity bigint      NOT NULL,
    total             bigint      NOT NULL,
    type              smallint    NOT NULL,
    bucket            bytea       NOT NULL,
    PRIMARY KEY (campaign_activity, hour, type, bucket)
) WITH (fillfactor = 70);

-- What those who were erased are counted with in them.
CREATE TABLE erased_hour (
    hour              timestamptz NOT NULL,
    campaign_activity bigint      NOT NULL,
    total             bigint      NOT NULL,
    type              smallint    NOT NULL,
    bucket            bytea       NOT NULL,
    PRIMARY KEY (campaign_activity, hour, type, bucket)
);

INSERT INTO campaign_activity_hour (campaign_activity, hour, type, bucket, total)
SELECT campaign_activity, date_trunc('hour', created_time, 'UTC'), type, '\x00', count(*)
FROM tracking_activity GROUP BY campaign_activity, date_trunc('hour', created_time, 'UTC'), type;
