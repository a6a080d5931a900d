-- Activities with equal times come in the order of their contacts' digests, as on PostgreSQL, and not in that of the keys
-- of this file: reports list them alike on every engine, and a page after one that ended at a contact which was erased
-- since is found by the contact's id alone. contact_order: six bytes of the digest (store/digests.py).

DROP INDEX tracking_activity_by_campaign_activity;

ALTER TABLE tracking_activity ADD COLUMN contact_order INTEGER NOT NULL DEFAULT 0;

-- In the order of the key, contact by contact.
UPDATE tracking_activity SET contact_order = made.contact_order
FROM (
    SELECT contact.key, contact_order(account.account_id, contact.contact_id) AS contact_order
    FROM contact JOIN account ON account.key = contact.account
) AS made
WHERE tracking_activity.contact = made.key;

-- The reports on one campaign activity: its activities of a type, newest first. contact and identity, which the
-- clustered key adds to every index anyway, are named for the order; link and bounce_code are what pages select by.
CREATE INDEX tracking_activity_by_campaign_activity ON tracking_activity (
    campaign_activity, type, created_time, contact_order, contact, identity, link, bounce_code
);

-- Contacts of one name come in the order of their ids, on every engine.
DROP INDEX contact_by_name;
DROP INDEX contact_by_last_name;

CREATE INDEX contact_by_name
    ON contact (account, first_name COLLATE NOCASE, last_name COLLATE NOCASE, contact_id) WHERE first_name IS NOT NULL;

CREATE INDEX contact_by_last_name ON contact (account, last_name COLLATE NOCASE, contact_id)
WHERE last_name IS NOT NULL;
