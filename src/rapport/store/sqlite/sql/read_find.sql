-- contacts_by_email_address: those whose email address begins so, in its order. Served by contact_by_email_address.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND email_address >= :beginning COLLATE NOCASE AND email_address < :end COLLATE NOCASE
ORDER BY email_address COLLATE NOCASE, contact_id LIMIT :limit;

-- contacts_by_first_name: those whose first name begins so, in its order. Served by contact_by_name.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND first_name >= :beginning COLLATE NOCASE AND first_name < :end COLLATE NOCASE
ORDER BY first_name COLLATE NOCASE, last_name COLLATE NOCASE, contact_id LIMIT :limit;

-- contacts_by_last_name: the same for the last name. Served by contact_by_last_name.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND last_name >= :beginning COLLATE NOCASE AND last_name < :end COLLATE NOCASE
ORDER BY last_name COLLATE NOCASE, contact_id LIMIT :limit;

-- contacts_by_both_names: those of a first name whose last name begins so. Served by contact_by_name.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND first_name = :first_name COLLATE NOCASE
  AND last_name >= :beginning COLLATE NOCASE AND last_name < :end COLLATE NOCASE
ORDER BY last_name COLLATE NOCASE, contact_id LIMIT :limit;

-- contacts_by_contact_id: those whose id begins so, in its order. Served by unique (account, contact_id).
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND contact_id >= :beginning AND contact_id < :end
ORDER BY contact_id LIMIT :limit;

-- campaign_activities: those whose name holds a text, or whose id begins with it; what was named last comes first. All
-- of the account's campaign activities are looked at, a row each. Served by unique (account, campaign_activity_id).
SELECT campaign_activity_id, campaign_activity_name
FROM campaign_activity
WHERE account = (SELECT key FROM account WHERE account_id = :account_id)
  AND (instr(lower(campaign_activity_name), lower(:text)) > 0
       OR (campaign_activity_id >= :text AND campaign_activity_id < :end))
ORDER BY coalesce(name_time, 0) DESC, campaign_activity_id LIMIT :limit;
