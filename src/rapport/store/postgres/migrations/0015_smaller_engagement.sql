-- No report asks when a contact did something first.

ALTER TABLE engagement DROP COLUMN first_time;
