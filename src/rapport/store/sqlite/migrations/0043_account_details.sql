-- The details of an account that the account summary shows.

CREATE TABLE account_details (
    account_id        TEXT PRIMARY KEY,
    organization_name TEXT,
    contact_email     TEXT,
    first_name        TEXT,
    last_name         TEXT,
    phone             TEXT,
    country_code      TEXT,
    time_zone_id      TEXT
) STRICT, WITHOUT ROWID;
