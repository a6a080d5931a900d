-- permissions: what the permissions of contacts derive from, and what is stored. Served by the primary keys.
SELECT contact.key, facts, permission_to_send, opt_out_date, opt_out_source, contact.opt_out_reason,
       (SELECT created_time FROM tracking_activity AS did WHERE did.contact = contact.key AND did.type = 4
        ORDER BY created_time DESC, identity DESC LIMIT 1),
       (SELECT did.opt_out_reason FROM tracking_activity AS did WHERE did.contact = contact.key AND did.type = 4
        ORDER BY created_time DESC, identity DESC LIMIT 1),
       (SELECT max(created_time) FROM tracking_activity AS did WHERE did.contact = contact.key AND did.type = 8)
FROM carray(:contacts) AS wanted CROSS JOIN contact ON contact.key = wanted.value;

-- next_permissions: the same of the next contacts of all accounts, in the order of their keys. Served by the primary keys.
SELECT contact.key, facts, permission_to_send, opt_out_date, opt_out_source, contact.opt_out_reason,
       (SELECT created_time FROM tracking_activity AS did WHERE did.contact = contact.key AND did.type = 4
        ORDER BY created_time DESC, identity DESC LIMIT 1),
       (SELECT did.opt_out_reason FROM tracking_activity AS did WHERE did.contact = contact.key AND did.type = 4
        ORDER BY created_time DESC, identity DESC LIMIT 1),
       (SELECT max(created_time) FROM tracking_activity AS did WHERE did.contact = contact.key AND did.type = 8)
FROM contact
WHERE contact.key > :after ORDER BY contact.key LIMIT :limit;

-- update_permission: the permission of a contact. Served by the primary key.
UPDATE contact SET permission_to_send = ?, opt_out_date = ?, opt_out_source = ?, opt_out_reason = ? WHERE key = ?;
