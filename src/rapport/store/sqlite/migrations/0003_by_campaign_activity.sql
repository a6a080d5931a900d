-- The reports on one campaign activity: its activities of a type, newest first. contact and identity, which the
-- clustered key adds to every index anyway, are named for the order; link and bounce_code are what pages select by.

CREATE INDEX tracking_activity_by_campaign_activity
    ON tracking_activity (campaign_activity, type, created_time, contact, identity, link, bounce_code);
