-- The reports on a campaign ask for its campaign activities.

CREATE INDEX campaign_activity_by_campaign ON campaign_activity (campaign);
