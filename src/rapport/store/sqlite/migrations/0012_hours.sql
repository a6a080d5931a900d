-- How many activities of a type a campaign activity had in each hour, given by the instant at which it begins: from this
-- what happened when is told, at the cost of the hours and not of the activities. Changed as the other counts are.
CREATE TABLE campaign_activity_hour (
    campaign_activity INTEGER NOT NULL REFERENCES campaign_activity,
    hour              INTEGER NOT NULL,
    type              INTEGER NOT NULL,
    total             INTEGER NOT NULL,
    PRIMARY KEY (campaign_activity, hour, type)
) STRICT, WITHOUT ROWID;

-- What those who were erased are counted with in them.
CREATE TABLE erased_hour (
    campaign_activity INTEGER NOT NULL REFERENCES campaign_activity,
    hour              INTEGER NOT NULL,
    type              INTEGER NOT NULL,
    total             INTEGER NOT NULL,
    PRIMARY KEY (campaign_activity, hour, type)
) STRICT, WITHOUT ROWID;

INSERT INTO campaign_activity_hour (campaign_activity, hour, type, total)
SELECT campaign_activity, created_time - created_time % 3600000 AS hour, type, count(*)
FROM tracking_activity GROUP BY campaign_activity, hour, type;
