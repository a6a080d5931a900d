-- The type and the campaign activity belong to the identity of an activity with an event id, beside its contact: sources
-- call a send and its opens alike, or count from 1 in each mailing. The digest is that of event_identity in
-- rapport/activity.py. The feed follows in Python (store/postgres/event_identities.py).
UPDATE tracking_activity AS did SET identity = ('x' || encode(substring(sha256(convert_to(
    'event' || chr(31)
    || (ARRAY['em_sends', 'em_opens', 'em_clicks', 'em_bounces', 'em_optouts', 'em_forwards',
              'p_contact_open', 'p_contact_click', 'p_contact_add', 'p_contact_update'])[did.type + 1]
    || chr(31) || campaign_activity.campaign_activity_id || chr(31) || did.event_id, 'UTF8'
)) FROM 1 FOR 8), 'hex'))::bit(64)::bigint
FROM campaign_activity
WHERE campaign_activity.key = did.campaign_activity AND did.event_id IS NOT NULL;
