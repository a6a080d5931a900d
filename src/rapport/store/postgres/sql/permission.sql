-- lock_contacts: Lock contacts until the transaction ends. Served by the primary key.
SELECT key FROM contact WHERE key = ANY($1::bytea[]) ORDER BY key FOR NO KEY UPDATE

-- get_permissions: Get the stored permissions of contacts, and what they are derived from. Served by the primary keys.
SELECT contact.key, facts::text, permission_to_send, opt_out_date, opt_out_source, contact.opt_out_reason,
       opted_out.created_time, opted_out.opt_out_reason, signed_up.created_time, account_id, contact_id
FROM contact JOIN account ON account.key = contact.account
LEFT JOIN LATERAL (
    SELECT created_time, opt_out_reason FROM tracking_activity AS activity WHERE activity.contact = contact.key AND activity.type = 4
    ORDER BY created_time DESC, identity DESC LIMIT 1
) AS opted_out ON true
LEFT JOIN LATERAL (
    SELECT created_time FROM tracking_activity AS activity WHERE activity.contact = contact.key AND activity.type = 8
    ORDER BY created_time DESC, identity DESC LIMIT 1
) AS signed_up ON true
WHERE contact.key = ANY($1::bytea[])

-- list_contacts: List the next contacts of all accounts in the order of their keys. Served by the primary key.
SELECT key FROM contact WHERE key > $1 ORDER BY key LIMIT $2

-- update_permissions: Set the permissions of contacts. Served by the primary key.
UPDATE contact SET
    permission_to_send = derived.permission_to_send,
    opt_out_date       = derived.opt_out_date,
    opt_out_source     = derived.opt_out_source,
    opt_out_reason     = derived.opt_out_reason
FROM unnest($1::bytea[], $2::smallint[], $3::timestamptz[], $4::smallint[], $5::text[])
     AS derived (key, permission_to_send, opt_out_date, opt_out_source, opt_out_reason)
WHERE contact.key = derived.key
