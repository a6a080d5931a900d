-- An activity without an event id has an identity of six bytes, as on SQLite, where they are fewer than eight: enough to
-- tell it from others of its contact, type and millisecond.

UPDATE tracking_activity SET identity = identity >> 16 WHERE event_id IS NULL;
