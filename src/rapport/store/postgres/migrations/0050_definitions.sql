-- Contact lists, tags and custom fields (store/definitions.py), and the contacts on lists and with tags. facts is JSON: each
-- attribute with the time at which it was set. The number of type is that of DefinitionType in rapport/catalogue.py.
CREATE TABLE definition (
    account       bigint      NOT NULL,
    type          smallint    NOT NULL,
    definition_id text        NOT NULL COLLATE "C",
    name          text,
    created_at    timestamptz NOT NULL,
    deleted_at    timestamptz,
    facts         jsonb       NOT NULL,
    PRIMARY KEY (account, type, definition_id)
);

CREATE INDEX definition_by_creation ON definition (account, type, created_at, definition_id);

-- Derived from the facts of contacts, of which it repeats created_at and contact_id to serve pages in their order.
CREATE TABLE membership (
    account       bigint      NOT NULL,
    type          smallint    NOT NULL,
    definition_id text        NOT NULL COLLATE "C",
    created_at    timestamptz NOT NULL,
    contact_id    text        NOT NULL COLLATE "C",
    contact       bytea       NOT NULL,
    PRIMARY KEY (account, type, definition_id, created_at, contact_id, contact)
);

CREATE INDEX membership_by_contact ON membership (contact, type, definition_id);

CREATE VIEW definition_type (number, name) AS VALUES (0::smallint, 'list'), (1, 'tag'), (2, 'custom_field');

-- From now on created_at is never NULL: unless a source set it, it is the earliest time of an update or an activity.
-- updated_at is created_at for contacts that no source has updated. The earliest time of an update is an attribute as well.
UPDATE contact SET facts = jsonb_set(facts, '{recorded_at}', jsonb_build_array(earliest, earliest))
FROM (
    SELECT contact.key AS who, min((attribute.value ->> 1)::bigint) AS earliest
    FROM contact, jsonb_each(contact.facts) AS attribute (field, value) GROUP BY contact.key
) AS recorded
WHERE contact.key = who;

UPDATE contact SET created_at = earliest
FROM (SELECT contact AS who, min(created_time) AS earliest FROM tracking_activity GROUP BY contact) AS did
WHERE contact.key = who AND contact.created_at IS NULL;

UPDATE contact SET created_at = least(
    created_at, to_timestamp((facts #>> '{recorded_at,0}')::double precision / 1000)
)
WHERE facts ? 'recorded_at' AND NOT facts ? 'created_at';

UPDATE contact SET created_at = coalesce(updated_at, 'epoch') WHERE created_at IS NULL;

UPDATE contact SET updated_at = created_at WHERE updated_at IS NULL;
