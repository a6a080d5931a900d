-- campaign_activity_key: which campaign activity is meant. Served by the unique keys.
SELECT campaign_activity.key
FROM account JOIN campaign_activity ON campaign_activity.account = account.key
WHERE account.account_id = :account_id AND campaign_activity_id = :campaign_activity_id;

-- key_of_contact: where a page's last contact stands. Served by unique (account_id) and unique (account, contact_id).
SELECT contact.key
FROM account JOIN contact ON contact.account = account.key
WHERE account.account_id = :account_id AND contact.contact_id = :contact_id;

-- links: what can be clicked in a campaign activity. Served by link_by_campaign_activity alone.
SELECT key, link_url, url_id FROM link WHERE campaign_activity = :campaign_activity;

-- tracking_page: a page, with its details. Served by one ordered range of the index, then by the primary keys. What was
-- said first of a contact, number 1, is in the contact's row as long as it has none in person.
SELECT did.created_time, did.identity, contact.contact_id,
       iif(did.person = 1 AND person.number IS NULL, contact.email_address, person.email_address),
       iif(did.person = 1 AND person.number IS NULL, contact.first_name, person.first_name),
       iif(did.person = 1 AND person.number IS NULL, contact.last_name, person.last_name),
       contact.email_address, contact.first_name, contact.last_name, contact.deleted_at,
       did.device_type, did.bounce_code, did.opt_out_reason, link.link_url, link.url_id,
       did.contact_order, did.contact
FROM (
    SELECT contact, type, created_time, identity FROM tracking_activity AS chosen
    WHERE campaign_activity = :campaign_activity AND type = :type AND created_time >= :not_before
      AND (created_time, contact_order, contact, identity)
          < (:after_time, :after_order, :after_contact, :after_identity)
      :selected
    ORDER BY created_time DESC, contact_order DESC, contact DESC, identity DESC LIMIT :limit
) AS found
CROSS JOIN tracking_activity AS did ON did.contact = found.contact AND did.type = found.type
       AND did.created_time = found.created_time AND did.identity = found.identity
CROSS JOIN contact ON contact.key = did.contact
LEFT JOIN person ON person.contact = did.contact AND person.number = did.person
LEFT JOIN link ON link.key = did.link;

-- of_links: of a page, only the clicks on some links. Served by the same range, of which all that is passed is read.
AND coalesce(link, 0) IN (SELECT value FROM carray(:links))

-- of_bounce_codes: of a page, only some bounces; an unknown code is X. Served by the same range, read through.
AND (:bounce_bits >> coalesce(bounce_code, 5)) & 1;

-- last_of_contact: of a page, only each contact's last. Every row of the range is looked up in the engagement.
AND created_time = (
    SELECT last_time FROM engagement
    WHERE engagement.campaign_activity = chosen.campaign_activity AND engagement.type = chosen.type
      AND engagement.contact = chosen.contact
)
AND identity = (
    SELECT max(tie.identity) FROM tracking_activity AS tie
    WHERE tie.contact = chosen.contact AND tie.type = chosen.type AND tie.created_time = chosen.created_time
      AND +tie.campaign_activity = chosen.campaign_activity
);

-- unanswered: the same, and only where the contact neither opened it (1) nor did it come back (3).
AND created_time = (
    SELECT last_time FROM engagement
    WHERE engagement.campaign_activity = chosen.campaign_activity AND engagement.type = chosen.type
      AND engagement.contact = chosen.contact
)
AND identity = (
    SELECT max(tie.identity) FROM tracking_activity AS tie
    WHERE tie.contact = chosen.contact AND tie.type = chosen.type AND tie.created_time = chosen.created_time
      AND +tie.campaign_activity = chosen.campaign_activity
)
AND NOT EXISTS (
    SELECT 1 FROM engagement
    WHERE engagement.campaign_activity = chosen.campaign_activity AND engagement.type IN (1, 3)
      AND engagement.contact = chosen.contact
);

-- last_of_contact_and_link: of a page, only each contact's last click on each link. Every row of the range is compared
-- with the contact's later ones.
AND NOT EXISTS (
    SELECT 1 FROM tracking_activity AS later
    WHERE later.contact = chosen.contact AND later.type = chosen.type
      AND (later.created_time, later.identity) > (chosen.created_time, chosen.identity)
      AND +later.campaign_activity = chosen.campaign_activity AND later.link IS chosen.link
);

-- of_contacts: of a page, only contacts that are called so. Every row of the range is looked up by the primary key.
AND (
    SELECT instr(lower(concat_ws(' ', first_name, last_name, email_address)), :contacts_filter) FROM contact
    WHERE contact.key = chosen.contact
);

-- link_groups: the links of a campaign activity, those with the same address, or without one and with the same id, as
-- one: the key of the first, and all keys. Served by two ranges of link_by_campaign_activity, in its order.
SELECT min(key), group_concat(key) FROM link
WHERE campaign_activity = :campaign_activity AND link_url IS NOT NULL
GROUP BY link_url
UNION ALL
SELECT min(key), group_concat(key) FROM link
WHERE campaign_activity = :campaign_activity AND link_url IS NULL
GROUP BY url_id;

-- link_names: what links are called. Served by the primary key.
SELECT key, link_url, url_id FROM carray(:links) AS wanted CROSS JOIN link ON link.key = wanted.value;

-- link_clickers: how many contacts clicked them. Served by one range of the primary key.
SELECT link, count(*) FROM clicked_link WHERE campaign_activity = :campaign_activity GROUP BY link;

-- erased_clickers: how many contacts clicked them that were erased. Served by one range of the primary key.
SELECT link, contacts FROM erased_link WHERE campaign_activity = :campaign_activity;

-- clickers_of_links: how many contacts clicked any of some links. Served by ranges of the primary key.
SELECT count(DISTINCT contact) FROM clicked_link
WHERE campaign_activity = :campaign_activity AND link IN (SELECT value FROM carray(:links));

-- of_many_words: contacts of whom something else was said than is known now. Served by the primary key.
SELECT value FROM carray(:contacts) WHERE EXISTS (SELECT 1 FROM person WHERE person.contact = value);

-- statements: all that was said of contacts until a time, and when. Served by the primary keys.
SELECT did.contact, did.created_time, did.identity,
       iif(did.person = 1 AND person.number IS NULL, contact.email_address, person.email_address),
       iif(did.person = 1 AND person.number IS NULL, contact.first_name, person.first_name),
       iif(did.person = 1 AND person.number IS NULL, contact.last_name, person.last_name)
FROM carray(:contacts) AS wanted
CROSS JOIN contact ON contact.key = wanted.value
CROSS JOIN tracking_activity AS did ON did.contact = wanted.value
       AND did.type IN (0, 1, 2, 3, 4, 5, 6, 7, 8, 9) AND did.created_time <= :until
LEFT JOIN person ON person.contact = did.contact AND person.number = did.person
WHERE did.person IS NOT NULL;
