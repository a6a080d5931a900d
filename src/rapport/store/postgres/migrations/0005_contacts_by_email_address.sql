-- Who asks for a contact by its email address finds it, whatever the case of its letters (those of ASCII).

CREATE INDEX contact_by_email_address ON contact (account, lower(email_address COLLATE "C"), contact_id)
WHERE email_address IS NOT NULL;
