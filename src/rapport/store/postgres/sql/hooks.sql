-- get_account: Get the key of an account. Served by unique (account_id).
SELECT key FROM account WHERE account_id = $1

-- hooks: List the hooks of all accounts.
SELECT account.account_id, hook_id, provider, name, settings, secret_hashes, hook.created_time
FROM hook JOIN account ON account.key = hook.account ORDER BY hook.account, hook.created_time, hook_id

-- create: Add a hook, or change one of the same account.
INSERT INTO hook (account, hook_id, provider, name, settings, secret_hashes, created_time)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (hook_id) DO UPDATE SET name = excluded.name, settings = excluded.settings,
    secret_hashes = excluded.secret_hashes
WHERE hook.account = excluded.account

-- delete: Delete a hook of an account.
DELETE FROM hook WHERE hook_id = $2 AND account = $1
RETURNING hook_id

-- delete_deliveries: Delete the requests of a hook.
DELETE FROM hook_delivery WHERE hook_id = $1

-- delete_hours: Delete the hourly counts of a hook.
DELETE FROM hook_hour WHERE hook_id = $1

-- delete_tokens: Delete the tokens of a hook.
DELETE FROM used_token WHERE hook_id = $1

-- delete_unmatched_of_hook: Delete the unmatched items of a hook. Served by the unique index.
DELETE FROM unmatched_item WHERE hook_id = $1

-- find_contacts: Find the contacts with these email addresses. Served by contact_by_email_address.
SELECT wanted.value, min(contact.contact_id)
FROM unnest($2::text[]) AS wanted (value)
JOIN contact ON contact.account = $1
    AND lower(contact.email_address COLLATE "C") = lower(wanted.value COLLATE "C")
WHERE contact.deleted_at IS NULL
GROUP BY wanted.value

-- find_sends: Find the campaign activities of sends whose event ids are these message ids, also in angle brackets. Served
-- by contact_by_account and the key of tracking_activity.
SELECT wanted.value, campaign_activity.campaign_activity_id
FROM unnest($2::text[]) AS wanted (value)
JOIN contact ON contact.account = $1
    AND contact.contact_id = split_part(wanted.value, chr(31), 1) COLLATE "C"
JOIN tracking_activity ON tracking_activity.contact = contact.key AND tracking_activity.type = 0
    AND tracking_activity.event_id IN (
        substr(wanted.value, strpos(wanted.value, chr(31)) + 1),
        '<' || substr(wanted.value, strpos(wanted.value, chr(31)) + 1) || '>'
    )
JOIN campaign_activity ON campaign_activity.key = tracking_activity.campaign_activity

-- find_messages: Find captured messages. Served by the key of captured_message.
SELECT message, contact_id, campaign_activity_id, delivered_time
FROM captured_message
WHERE account = $1 AND message = ANY($2::text[])

-- list_messages: List the captured messages of an account after one. Served by the key of captured_message.
SELECT message, contact_id, campaign_activity_id, seen_time, delivered_time
FROM captured_message WHERE account = $1 AND message > $2 ORDER BY message LIMIT $3

-- save_message: Save a message, or when it was delivered.
INSERT INTO captured_message (account, message, contact_id, campaign_activity_id, seen_time, delivered_time)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (account, message) DO UPDATE SET delivered_time = coalesce(captured_message.delivered_time, excluded.delivered_time)

-- prune_messages: Delete messages seen before a time. Served by captured_message_by_time.
DELETE FROM captured_message WHERE seen_time < $1

-- save_delivery: Save a request.
INSERT INTO hook_delivery (hook_id, received_time, digest, outcome, events, unmatched, detail)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING

-- prune_deliveries: Delete all but the latest requests of a hook. Served by the key of hook_delivery.
DELETE FROM hook_delivery WHERE hook_id = $1 AND received_time < (
    SELECT received_time FROM hook_delivery WHERE hook_id = $1 ORDER BY received_time DESC LIMIT 1 OFFSET $2
)

-- deliveries: List the latest requests of a hook, newest first. Served by the key of hook_delivery.
SELECT hook_id, received_time, digest, outcome, events, unmatched, detail
FROM hook_delivery WHERE hook_id = $1 ORDER BY received_time DESC, digest DESC LIMIT $2

-- count_events: Add to the hourly count of a hook.
INSERT INTO hook_hour (hook_id, hour, events) VALUES ($1, $2, $3)
ON CONFLICT (hook_id, hour) DO UPDATE SET events = hook_hour.events + excluded.events

-- hours: List the hourly counts of a hook from an hour on. Served by the key of hook_hour.
SELECT hour, events FROM hook_hour WHERE hook_id = $1 AND hour >= $2 ORDER BY hour

-- save_unmatched: Save an unmatched item.
INSERT INTO unmatched_item (
    account, hook_id, digest, received_time, reason, detail, recipient, item, attempts, retry_time
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (hook_id, digest) DO UPDATE SET reason = excluded.reason, detail = excluded.detail,
    attempts = excluded.attempts, retry_time = excluded.retry_time

-- unmatched: List the unmatched items of an account after a number. Served by unmatched_item_by_account.
SELECT number, hook_id, digest, received_time, reason, detail, recipient, item, attempts, retry_time
FROM unmatched_item WHERE account = $1 AND number > $2
ORDER BY number LIMIT $3

-- due_unmatched: List the unmatched items of all accounts that are to be tried again until a time. Served by
-- unmatched_item_by_retry_time.
SELECT account_id, number, hook_id, digest, received_time, reason, detail, recipient, item, attempts, retry_time
FROM unmatched_item JOIN account ON account.key = unmatched_item.account
WHERE retry_time <= $1 ORDER BY retry_time LIMIT $2

-- count_unmatched: Count the unmatched items of an account by hook and reason.
SELECT hook_id, reason, count(*) FROM unmatched_item
WHERE account = $1 GROUP BY hook_id, reason ORDER BY hook_id, reason

-- delete_unmatched: Delete an unmatched item of an account.
DELETE FROM unmatched_item WHERE number = $2 AND account = $1

-- save_token: Save a token with the request that used it first.
INSERT INTO used_token (hook_id, token, request, used_time) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING

-- find_tokens: Find the requests with which tokens were first used. Served by the key of used_token.
SELECT token, request FROM used_token WHERE hook_id = $1 AND token = ANY($2::text[])

-- list_tokens: List the tokens of a hook after one. Served by the key of used_token.
SELECT hook_id, token, request, used_time
FROM used_token WHERE hook_id = $1 AND token > $2 ORDER BY token LIMIT $3

-- prune_tokens: Delete tokens that are too old to be accepted. Served by used_token_by_time.
DELETE FROM used_token WHERE used_time < $1

-- forget_messages: Delete the captured messages of a contact. Served by captured_message_by_contact.
DELETE FROM captured_message
WHERE account = $1 AND contact_id = $2

-- forget_unmatched: Delete the unmatched items of a contact's address. Served by unmatched_item_by_recipient.
DELETE FROM unmatched_item WHERE account = $1 AND lower(recipient COLLATE "C") = lower($2::text COLLATE "C")
