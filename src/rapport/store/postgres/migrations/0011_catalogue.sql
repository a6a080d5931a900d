-- What sources state of contacts and campaigns beside activities. facts: of each field the value that holds and the time
-- of its statement in milliseconds (store/catalogue.py); the columns beside it are what is searched and sorted by.
-- The number of permission_to_send is that of the enum in rapport/catalogue.py.

ALTER TABLE contact ADD COLUMN permission_to_send smallint;
ALTER TABLE contact ADD COLUMN created_at timestamptz;
ALTER TABLE contact ADD COLUMN updated_at timestamptz;
ALTER TABLE contact ADD COLUMN deleted_at timestamptz;
ALTER TABLE contact ADD COLUMN facts jsonb;

CREATE INDEX contact_by_creation ON contact (account, created_at, contact_id) WHERE created_at IS NOT NULL;
CREATE INDEX contact_by_update ON contact (account, updated_at, contact_id) WHERE updated_at IS NOT NULL;

ALTER TABLE campaign ADD COLUMN campaign_name text;
ALTER TABLE campaign ADD COLUMN updated_at timestamptz;
ALTER TABLE campaign ADD COLUMN facts jsonb;

ALTER TABLE campaign_activity ADD COLUMN facts jsonb;

CREATE VIEW permission_to_send (number, name) AS VALUES
    (0::smallint, 'explicit'), (1, 'implicit'), (2, 'pending_confirmation'), (3, 'unsubscribed'), (4, 'temp_hold'),
    (5, 'not_set');
