-- The physical address of an account; its country is that of the account.

ALTER TABLE account_details ADD COLUMN address_line1 TEXT;
ALTER TABLE account_details ADD COLUMN address_line2 TEXT;
ALTER TABLE account_details ADD COLUMN address_line3 TEXT;
ALTER TABLE account_details ADD COLUMN city TEXT;
ALTER TABLE account_details ADD COLUMN state_code TEXT;
ALTER TABLE account_details ADD COLUMN state_name TEXT;
ALTER TABLE account_details ADD COLUMN postal_code TEXT;
