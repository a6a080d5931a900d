-- get_permissions: Get the stored permissions of contacts, and what they are derived from. Served by the primary keys.
SELECT contact.key, facts, permission_to_send, opt_out_date, opt_out_source, contact.opt_out_reason,
       (SELECT created_time FROM tracking_activity AS activity WHERE activity.contact = contact.key AND activity.type = 4
        ORDER BY created_time DESC, identity DESC LIMIT 1),
       (SELECT activity.opt_out_reason FROM tracking_activity AS activity WHERE activity.contact = contact.key AND activity.type = 4
        ORDER BY created_time DESC, identity DESC LIMIT 1),
       (SELECT max(created_time) FROM tracking_activity AS activity WHERE activity.contact = contact.key AND activity.type = 8)
FROM carray(:contacts) AS requested CROSS JOIN contact ON contact.key = requested.value;

-- list_permissions: List the same for the next contacts of all accounts in the order of their keys. Served by the
-- primary keys.
SELECT contact.key, facts, permission_to_send, opt_out_date, opt_out_source, contact.opt_out_reason,
       (SELECT created_time FROM tracking_activity AS activity WHERE activity.contact = contact.key AND activity.type = 4
        ORDER BY created_time DESC, identity DESC LIMIT 1),
       (SELECT activity.opt_out_reason FROM tracking_activity AS activity WHERE activity.contact = contact.key AND activity.type = 4
        ORDER BY created_time DESC, identity DESC LIMIT 1),
       (SELECT max(created_time) FROM tracking_activity AS activity WHERE activity.contact = contact.key AND activity.type = 8)
FROM contact
WHERE contact.key > :after ORDER BY contact.key LIMIT :limit;

-- update_permission: Set the permission of a contact. Served by the primary key.
UPDATE contact SET permission_to_send = ?, opt_out_date = ?, opt_out_source = ?, opt_out_reason = ? WHERE key = ?;
