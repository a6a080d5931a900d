-- What is left of contacts that were erased: digests that keep a replay from bringing them back, and their counts.

-- digest: of account and contact id (store/digests.py). What the contact did until erased_time is refused.
CREATE TABLE erased_contact (
    digest      BLOB    NOT NULL PRIMARY KEY,
    account     INTEGER NOT NULL REFERENCES account,
    erased_time INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What they are counted with in campaign_activity_stats.
CREATE TABLE erased_stats (
    campaign_activity INTEGER NOT NULL REFERENCES campaign_activity,
    type              INTEGER NOT NULL,
    detail            INTEGER NOT NULL,
    total             INTEGER NOT NULL,
    contacts          INTEGER,
    last_time         INTEGER NOT NULL,
    PRIMARY KEY (campaign_activity, type, detail)
) STRICT, WITHOUT ROWID;

-- How many of them clicked a link.
CREATE TABLE erased_link (
    campaign_activity INTEGER NOT NULL REFERENCES campaign_activity,
    link              INTEGER NOT NULL REFERENCES link,
    contacts          INTEGER NOT NULL,
    PRIMARY KEY (campaign_activity, link)
) STRICT, WITHOUT ROWID;
