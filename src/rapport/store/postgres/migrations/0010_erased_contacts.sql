-- What is left of contacts that were erased: digests that keep a replay from bringing them back, and their counts. On a
-- cluster all three lie beside the contact, as what they stand for did.

-- What the contact did until erased_time is refused.
CREATE TABLE erased_contact (
    key         bytea       NOT NULL PRIMARY KEY,
    account     bigint      NOT NULL,
    erased_time timestamptz NOT NULL
);

-- What they are counted with in campaign_activity_stats.
CREATE TABLE erased_stats (
    last_time         timestamptz NOT NULL,
    campaign_activity bigint      NOT NULL,
    total             bigint      NOT NULL,
    contacts          bigint,
    type              smallint    NOT NULL,
    detail            smallint    NOT NULL,
    bucket            bytea       NOT NULL,
    PRIMARY KEY (campaign_activity, type, detail, bucket)
);

-- How many of them clicked a link.
CREATE TABLE erased_link (
    campaign_activity bigint NOT NULL,
    link              bigint NOT NULL,
    contacts          bigint NOT NULL,
    bucket            bytea  NOT NULL,
    PRIMARY KEY (campaign_activity, link, bucket)
);

-- One row an erasure. Who records reads it first, and who erases locks it: then nobody records for somebody who is gone.
CREATE TABLE erasure (
    number      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    erased_time timestamptz NOT NULL
);
