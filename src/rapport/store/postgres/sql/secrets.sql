-- read: Get a secret. Served by the primary key.
SELECT value FROM secret WHERE name = :name

-- list_names: List the names of all secrets.
SELECT name FROM secret ORDER BY name

-- add: Create a secret, unless it exists.
INSERT INTO secret (name, value) VALUES (:name, :value) ON CONFLICT DO NOTHING RETURNING name

-- replace: Replace a secret, unless it has changed.
UPDATE secret SET value = :new WHERE name = :name AND value = :old RETURNING name
