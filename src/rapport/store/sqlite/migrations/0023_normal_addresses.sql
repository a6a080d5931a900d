-- Domains have one form, in readable letters and in lower case, so that they are found however they are written.
-- normal_address: rapport/email_address.py.
UPDATE contact SET email_address = normal_address(email_address)
WHERE email_address LIKE '%@%xn--%' OR email_address GLOB '*[^ -~]*';
