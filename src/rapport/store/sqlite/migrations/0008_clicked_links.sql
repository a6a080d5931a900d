-- Who clicked which link, that contacts are counted once for each. A click of which no link is known is in none.

CREATE TABLE clicked_link (
    campaign_activity INTEGER NOT NULL REFERENCES campaign_activity,
    link              INTEGER NOT NULL REFERENCES link,
    contact           INTEGER NOT NULL REFERENCES contact,
    PRIMARY KEY (campaign_activity, link, contact)
) STRICT, WITHOUT ROWID;

INSERT INTO clicked_link (campaign_activity, link, contact)
SELECT DISTINCT campaign_activity, link, contact FROM tracking_activity WHERE link IS NOT NULL;

-- What a contact did with which campaign activities is read from its own activities, which lie together.
DROP INDEX engagement_by_contact;
