-- The details of an account that the account summary shows.

CREATE TABLE account_details (
    account_id        text NOT NULL PRIMARY KEY,
    organization_name text,
    contact_email     text,
    first_name        text,
    last_name         text,
    phone             text,
    country_code      text,
    time_zone_id      text
);
