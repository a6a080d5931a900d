-- Who asks for a contact by its email address finds it, whatever the case of its letters.

CREATE INDEX contact_by_email_address ON contact (account, email_address COLLATE NOCASE, contact_id)
WHERE email_address IS NOT NULL;
