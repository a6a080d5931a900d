-- The physical address of an account; its country is that of the account.

ALTER TABLE account_details
    ADD COLUMN address_line1 text,
    ADD COLUMN address_line2 text,
    ADD COLUMN address_line3 text,
    ADD COLUMN city text,
    ADD COLUMN state_code text,
    ADD COLUMN state_name text,
    ADD COLUMN postal_code text;
