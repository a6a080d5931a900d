-- contacts_by_email_address: those whose email address begins so, in its order. Served by contact_by_email_address.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = $1)
  AND lower(email_address COLLATE "C") >= lower($2::text COLLATE "C")
  AND lower(email_address COLLATE "C") < lower($3::text COLLATE "C")
ORDER BY lower(email_address COLLATE "C"), contact_id LIMIT $4

-- contacts_by_first_name: those whose first name begins so, in its order. Served by contact_by_name.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = $1)
  AND lower(first_name COLLATE "C") >= lower($2::text COLLATE "C")
  AND lower(first_name COLLATE "C") < lower($3::text COLLATE "C")
ORDER BY lower(first_name COLLATE "C"), lower(last_name COLLATE "C") NULLS FIRST, contact_id LIMIT $4

-- contacts_by_last_name: the same for the last name. Served by contact_by_last_name.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = $1)
  AND lower(last_name COLLATE "C") >= lower($2::text COLLATE "C")
  AND lower(last_name COLLATE "C") < lower($3::text COLLATE "C")
ORDER BY lower(last_name COLLATE "C"), contact_id LIMIT $4

-- contacts_by_both_names: those of a first name whose last name begins so. Served by contact_by_name.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = $1)
  AND lower(first_name COLLATE "C") = lower($5::text COLLATE "C")
  AND lower(last_name COLLATE "C") >= lower($2::text COLLATE "C")
  AND lower(last_name COLLATE "C") < lower($3::text COLLATE "C")
ORDER BY lower(last_name COLLATE "C") NULLS FIRST, contact_id LIMIT $4

-- contacts_by_contact_id: those whose id begins so, in its order. Served by contact_by_account.
SELECT contact_id, email_address, first_name, last_name, permission_to_send, created_at, updated_at, deleted_at,
       opt_out_date, opt_out_source, opt_out_reason
FROM contact
WHERE account = (SELECT key FROM account WHERE account_id = $1) AND contact_id >= $2 AND contact_id < $3
ORDER BY contact_id LIMIT $4

-- campaign_activities: those whose name holds a text, or whose id begins with it; what was named last comes first. All
-- of the account's campaign activities are looked at, a row each. Served by the unique key.
SELECT campaign_activity_id, campaign_activity_name
FROM campaign_activity
WHERE account = (SELECT key FROM account WHERE account_id = $1)
  AND (strpos(lower(campaign_activity_name COLLATE "C"), lower($2::text COLLATE "C")) > 0
       OR starts_with(campaign_activity_id, $2::text))
ORDER BY name_time DESC NULLS LAST, campaign_activity_id COLLATE "C" LIMIT $3
