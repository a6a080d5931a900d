-- The permission of a contact derives from its statements, opt-outs and sign-ups (store/permission.py). permission_to_send
-- is what it comes to; opt_out_date, opt_out_source and opt_out_reason are set for contacts that are unsubscribed.
-- The number of opt_out_source is that of the enum in rapport/catalogue.py.

ALTER TABLE contact ADD COLUMN opt_out_date timestamptz;
ALTER TABLE contact ADD COLUMN opt_out_source smallint;
ALTER TABLE contact ADD COLUMN opt_out_reason text;

-- An opt-out wins over a statement and a sign-up of the same time, and a statement over a sign-up. A contact that is
-- stated as unsubscribed after its opt-out keeps the date of that one.
UPDATE contact SET permission_to_send = 3, opt_out_date = opted_out, opt_out_source = 1, opt_out_reason = reason
FROM (
    SELECT contact AS who, max(created_time) FILTER (WHERE type = 4) AS opted_out,
           max(created_time) FILTER (WHERE type = 8) AS signed_up,
           (array_agg(opt_out_reason ORDER BY created_time DESC, identity DESC) FILTER (WHERE type = 4))[1] AS reason
    FROM tracking_activity WHERE type IN (4, 8) GROUP BY contact
) AS did
WHERE key = who AND opted_out >= coalesce(signed_up, opted_out)
  AND (permission_to_send IS NOT DISTINCT FROM 3::smallint
       OR (opted_out < to_timestamp((facts #>> '{permission_to_send,1}')::double precision / 1000)) IS NOT TRUE);

UPDATE contact SET permission_to_send = 0
FROM (
    SELECT contact AS who, max(created_time) FILTER (WHERE type = 4) AS opted_out,
           max(created_time) FILTER (WHERE type = 8) AS signed_up
    FROM tracking_activity WHERE type IN (4, 8) GROUP BY contact
) AS did
WHERE key = who AND (signed_up <= opted_out) IS NOT TRUE AND signed_up IS NOT NULL
  AND (signed_up <= to_timestamp((facts #>> '{permission_to_send,1}')::double precision / 1000)) IS NOT TRUE;

UPDATE contact SET
    opt_out_date = to_timestamp((facts #>> '{permission_to_send,1}')::double precision / 1000), opt_out_source = 0
WHERE permission_to_send = 3 AND opt_out_date IS NULL;

CREATE INDEX contact_by_opt_out ON contact (account, opt_out_date, contact_id) WHERE opt_out_date IS NOT NULL;

CREATE VIEW opt_out_source (number, name) AS VALUES (0::smallint, 'Account'), (1, 'Contact');
