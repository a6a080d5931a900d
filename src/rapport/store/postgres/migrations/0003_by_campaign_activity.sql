-- The reports on one campaign activity: its activities of a type, newest first. On a cluster every node has this of
-- its own contacts, and a page is merged from all of them.

CREATE INDEX tracking_activity_by_campaign_activity
    ON tracking_activity (campaign_activity, type, created_time, contact, identity);
