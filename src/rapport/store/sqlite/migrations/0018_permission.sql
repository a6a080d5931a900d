-- The permission of a contact derives from its statements, opt-outs and sign-ups (store/permission.py). permission_to_send
-- is what it comes to; opt_out_date, opt_out_source and opt_out_reason are set for contacts that are unsubscribed.
-- The number of opt_out_source is that of the enum in rapport/catalogue.py.

ALTER TABLE contact ADD COLUMN opt_out_date INTEGER;
ALTER TABLE contact ADD COLUMN opt_out_source INTEGER;
ALTER TABLE contact ADD COLUMN opt_out_reason TEXT;

-- An opt-out wins over a statement and a sign-up of the same time, and a statement over a sign-up. A contact that is
-- stated as unsubscribed after its opt-out keeps the date of that one.
UPDATE contact SET
    permission_to_send = CASE
        WHEN opted_out IS NOT NULL AND opted_out >= coalesce(signed_up, 0)
             AND (permission_to_send IS 3 OR opted_out >= coalesce(facts ->> '$.permission_to_send[1]', 0)) THEN 3
        WHEN signed_up > coalesce(opted_out, 0) AND signed_up > coalesce(facts ->> '$.permission_to_send[1]', 0) THEN 0
        ELSE permission_to_send
    END,
    opt_out_date = CASE
        WHEN opted_out IS NOT NULL AND opted_out >= coalesce(signed_up, 0)
             AND (permission_to_send IS 3 OR opted_out >= coalesce(facts ->> '$.permission_to_send[1]', 0)) THEN opted_out
    END
FROM (
    SELECT contact AS who, max(created_time) FILTER (WHERE type = 4) AS opted_out,
           max(created_time) FILTER (WHERE type = 8) AS signed_up
    FROM tracking_activity WHERE type IN (4, 8) GROUP BY contact
)
WHERE key = who;

UPDATE contact SET
    opt_out_source = 1,
    opt_out_reason = (
        SELECT did.opt_out_reason FROM tracking_activity AS did WHERE did.contact = contact.key AND did.type = 4
        ORDER BY created_time DESC, identity DESC LIMIT 1
    )
WHERE opt_out_date IS NOT NULL;

UPDATE contact SET opt_out_date = facts ->> '$.permission_to_send[1]', opt_out_source = 0
WHERE permission_to_send = 3 AND opt_out_date IS NULL;

CREATE INDEX contact_by_opt_out ON contact (account, opt_out_date, contact_id) WHERE opt_out_date IS NOT NULL;

CREATE VIEW opt_out_source (number, name) AS VALUES (0, 'Account'), (1, 'Contact');
