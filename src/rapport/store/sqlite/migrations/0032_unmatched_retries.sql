-- When an unmatched item is tried again, and how often it was; NULL if never again.
ALTER TABLE unmatched_item ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE unmatched_item ADD COLUMN retry_time INTEGER;

UPDATE unmatched_item SET retry_time = received_time
WHERE reason IN ('no contact', 'no campaign activity', 'not confirmed');

CREATE INDEX unmatched_item_by_retry_time ON unmatched_item (retry_time) WHERE retry_time IS NOT NULL;
