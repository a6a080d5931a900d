-- Contact lists, tags and custom fields (store/definitions.py), and the contacts on lists and with tags. facts is JSON: each
-- attribute with the time at which it was set. The number of type is that of DefinitionType in rapport/catalogue.py.
CREATE TABLE definition (
    account       INTEGER NOT NULL REFERENCES account,
    type          INTEGER NOT NULL,
    definition_id TEXT    NOT NULL,
    name          TEXT,
    created_at    INTEGER NOT NULL,
    deleted_at    INTEGER,
    facts         TEXT    NOT NULL,
    PRIMARY KEY (account, type, definition_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX definition_by_creation ON definition (account, type, created_at, definition_id);

-- Derived from the facts of contacts, of which it repeats created_at and contact_id to serve pages in their order.
CREATE TABLE membership (
    account       INTEGER NOT NULL REFERENCES account,
    type          INTEGER NOT NULL,
    definition_id TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    contact_id    TEXT    NOT NULL,
    contact       INTEGER NOT NULL REFERENCES contact,
    PRIMARY KEY (account, type, definition_id, created_at, contact_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX membership_by_contact ON membership (contact, type, definition_id);

CREATE VIEW definition_type (number, name) AS VALUES (0, 'list'), (1, 'tag'), (2, 'custom_field');

-- From now on created_at is never NULL: unless a source set it, it is the earliest time of an update or an activity.
-- updated_at is created_at for contacts that no source has updated.
UPDATE contact SET created_at = coalesce(
    min(
        (SELECT min(value ->> 1) FROM json_each(facts)),
        coalesce((SELECT min(created_time) FROM tracking_activity WHERE contact = contact.key), 9223372036854775807)
    ),
    (SELECT min(created_time) FROM tracking_activity WHERE contact = contact.key),
    updated_at,
    (SELECT created_time FROM account WHERE key = contact.account)
) WHERE created_at IS NULL;

UPDATE contact SET updated_at = created_at WHERE updated_at IS NULL;

-- The earliest time of an update, which is an attribute as well.
UPDATE contact SET facts = json_set(facts, '$.recorded_at', json_array(earliest, earliest))
FROM (SELECT key AS who, (SELECT min(value ->> 1) FROM json_each(facts)) AS earliest FROM contact)
WHERE key = who AND earliest IS NOT NULL;
