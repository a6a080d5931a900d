-- Digests of the user's unused recovery codes (rapport.people.recovery_codes), one after another.

ALTER TABLE account_user ADD COLUMN recovery_codes BLOB;
