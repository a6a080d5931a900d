-- What sources state of contacts and campaigns beside activities. facts: JSON, of each field the value that holds and
-- the time of its statement (store/catalogue.py); the columns beside it are what is searched and sorted by.
-- The number of permission_to_send is that of the enum in rapport/catalogue.py.

ALTER TABLE contact ADD COLUMN permission_to_send INTEGER;
ALTER TABLE contact ADD COLUMN created_at INTEGER;
ALTER TABLE contact ADD COLUMN updated_at INTEGER;
ALTER TABLE contact ADD COLUMN deleted_at INTEGER;
ALTER TABLE contact ADD COLUMN facts TEXT;

CREATE INDEX contact_by_creation ON contact (account, created_at, contact_id) WHERE created_at IS NOT NULL;
CREATE INDEX contact_by_update ON contact (account, updated_at, contact_id) WHERE updated_at IS NOT NULL;

ALTER TABLE campaign ADD COLUMN campaign_name TEXT;
ALTER TABLE campaign ADD COLUMN updated_at INTEGER;
ALTER TABLE campaign ADD COLUMN facts TEXT;

ALTER TABLE campaign_activity ADD COLUMN facts TEXT;

CREATE VIEW permission_to_send (number, name) AS VALUES
    (0, 'explicit'), (1, 'implicit'), (2, 'pending_confirmation'), (3, 'unsubscribed'), (4, 'temp_hold'), (5, 'not_set');
