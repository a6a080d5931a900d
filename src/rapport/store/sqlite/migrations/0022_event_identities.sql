-- The type and the campaign activity belong to the identity of an activity with an event id, beside its contact: sources
-- call a send and its opens alike, or count from 1 in each mailing. event_identity: rapport/activity.py. The feed follows
-- in Python (store/sqlite/event_identities.py).
UPDATE tracking_activity SET identity = event_identity(
    type,
    (SELECT campaign_activity_id FROM campaign_activity WHERE key = tracking_activity.campaign_activity),
    event_id
)
WHERE event_id IS NOT NULL;
