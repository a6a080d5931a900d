-- add_application: Add an application, or replace the one with its id.
INSERT INTO application (
    client_id, account_id, name, secret_digest, redirect_uris, scopes, refresh_policy, credentials_role, created_time,
    created_by
)
VALUES (
    :client_id, :account_id, :name, :secret_digest, :redirect_uris, :scopes, :refresh_policy, :credentials_role,
    :created_time, :created_by
)
ON CONFLICT (client_id) DO UPDATE SET
    name = excluded.name, secret_digest = excluded.secret_digest, redirect_uris = excluded.redirect_uris,
    scopes = excluded.scopes, refresh_policy = excluded.refresh_policy, credentials_role = excluded.credentials_role
WHERE application.account_id = excluded.account_id

-- find_application: Find an application by its id. Served by the primary key.
SELECT client_id, account_id, name, secret_digest, redirect_uris, scopes, refresh_policy, credentials_role, created_time,
       created_by
FROM application WHERE client_id = :client_id

-- list_applications: List the applications of an account. Served by application_by_account.
SELECT client_id, account_id, name, secret_digest, redirect_uris, scopes, refresh_policy, credentials_role, created_time,
       created_by
FROM application WHERE account_id = :account_id ORDER BY created_time, client_id

-- set_secret: Replace the secret of a confidential application. Served by the primary key.
UPDATE application SET secret_digest = :secret_digest
WHERE client_id = :client_id AND account_id = :account_id AND secret_digest IS NOT NULL
RETURNING client_id

-- delete_application: Delete an application of an account. Served by the primary key.
DELETE FROM application WHERE client_id = :client_id AND account_id = :account_id RETURNING client_id

-- delete_codes: Delete the codes of an application. Served by authorization_code_by_client.
DELETE FROM authorization_code WHERE client_id = :client_id

-- delete_devices: Delete the devices of an application. Served by device_authorization_by_client.
DELETE FROM device_authorization WHERE client_id = :client_id

-- delete_grants: Delete the grants of an application. Served by application_grant_by_client.
DELETE FROM application_grant WHERE client_id = :client_id

-- add_code: Add an authorization code.
INSERT INTO authorization_code (digest, client_id, account_id, consent, redirect_uri, code_challenge, expires)
VALUES (:digest, :client_id, :account_id, :consent, :redirect_uri, :code_challenge, :expires)

-- delete_expired_codes: Delete the codes that expired before a time. Served by authorization_code_by_end.
DELETE FROM authorization_code WHERE expires < :expired_before

-- find_code: Find a code by its digest. Served by the primary key.
SELECT digest, client_id, account_id, consent, redirect_uri, code_challenge, expires, grant_id
FROM authorization_code WHERE digest = :digest

-- redeem_code: Redeem a code, once. Served by the primary key.
UPDATE authorization_code SET grant_id = :grant_id WHERE digest = :digest AND grant_id IS NULL RETURNING digest

-- can_add_device: Return a row if an application has fewer waiting devices. Served by device_authorization_by_client.
SELECT count(*) FROM device_authorization WHERE client_id = :client_id AND expires >= :expired_before
HAVING count(*) < :max_waiting

-- add_device: Add a device that waits.
INSERT INTO device_authorization (digest, user_code_digest, client_id, account_id, scopes, expires, "interval")
VALUES (:digest, :user_code_digest, :client_id, :account_id, :scopes, :expires, :interval)

-- delete_expired_devices: Delete the devices that expired before a time. Served by device_authorization_by_end.
DELETE FROM device_authorization WHERE expires < :expired_before

-- find_device: Find a device by the digest of its device code. Served by the primary key.
SELECT digest, user_code_digest, client_id, account_id, scopes, expires, "interval", polled_time, decision, consent
FROM device_authorization WHERE digest = :digest

-- find_device_by_user_code: Find a device by the digest of its user code. Served by the unique index.
SELECT digest, user_code_digest, client_id, account_id, scopes, expires, "interval", polled_time, decision, consent
FROM device_authorization WHERE user_code_digest = :user_code_digest AND account_id = :account_id

-- poll_device: Set when a device last polled. Served by the primary key.
UPDATE device_authorization SET polled_time = :now, "interval" = :interval WHERE digest = :digest

-- decide_device: Approve or deny a pending device. Served by the unique index.
UPDATE device_authorization SET decision = :decision, consent = :consent
WHERE user_code_digest = :user_code_digest AND account_id = :account_id AND decision = 'pending' AND expires > :now
RETURNING digest

-- redeem_device: Delete an approved device, once. Served by the primary key.
DELETE FROM device_authorization WHERE digest = :digest AND decision = 'approved' RETURNING digest

-- find_grant: Find a grant by its id. Served by the primary key.
SELECT grant_id, client_id, account_id, consent, digest, previous_digest, rotated_time, created_time, expires, revoked_time
FROM application_grant WHERE grant_id = :grant_id

-- list_grants: List the grants of an account. Served by application_grant_by_account.
SELECT grant_id, client_id, account_id, consent, digest, previous_digest, rotated_time, created_time, expires, revoked_time
FROM application_grant WHERE account_id = :account_id AND revoked_time IS NULL ORDER BY created_time, grant_id

-- add_grant: Add a grant, or replace the one with its id.
INSERT INTO application_grant (
    grant_id, client_id, account_id, user_name, consent, digest, previous_digest, rotated_time, created_time, expires,
    revoked_time
)
VALUES (
    :grant_id, :client_id, :account_id, :user_name, :consent, :digest, :previous_digest, :rotated_time, :created_time,
    :expires, :revoked_time
)
ON CONFLICT (grant_id) DO UPDATE SET
    digest = excluded.digest, previous_digest = excluded.previous_digest, rotated_time = excluded.rotated_time,
    expires = excluded.expires, revoked_time = excluded.revoked_time
WHERE application_grant.account_id = excluded.account_id

-- delete_expired_grants: Delete the grants that expired before a time. Served by application_grant_by_end.
DELETE FROM application_grant WHERE expires < :expired_before

-- rotate_refresh_token: Replace the digest of a refresh token, once for each token. Served by the primary key.
UPDATE application_grant SET previous_digest = digest, digest = :new, rotated_time = :now, expires = :expires
WHERE grant_id = :grant_id AND digest = :old AND revoked_time IS NULL
RETURNING grant_id

-- extend_grant: Set the end of a grant. Served by the primary key.
UPDATE application_grant SET expires = :expires WHERE grant_id = :grant_id

-- revoke_grant: Revoke a grant, once. Served by the primary key.
UPDATE application_grant SET revoked_time = :now WHERE grant_id = :grant_id AND revoked_time IS NULL RETURNING grant_id
