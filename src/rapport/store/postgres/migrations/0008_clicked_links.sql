-- Who clicked which link, that contacts are counted once for each. A click of which no link is known is in none.
-- On a cluster it lies beside the contact.

CREATE TABLE clicked_link (
    campaign_activity bigint NOT NULL,
    link              bigint NOT NULL,
    contact           bytea  NOT NULL,
    PRIMARY KEY (campaign_activity, link, contact)
);

INSERT INTO clicked_link (campaign_activity, link, contact)
SELECT DISTINCT campaign_activity, link, contact FROM tracking_activity WHERE link IS NOT NULL;

-- What a contact did with which campaign activities is read from its own activities, which lie together.
DROP INDEX engagement_by_contact;
