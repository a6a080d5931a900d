-- Sessions of the pages, to list and end them. The session itself is in its browser's cookie. user_id is empty for sessions
-- that began with a sign-in link or a token. token_ids, separated by blanks, are those that end the session when they are
-- revoked.

CREATE TABLE user_session (
    session_id   text NOT NULL PRIMARY KEY,
    account_id   text NOT NULL,
    user_id      text NOT NULL,
    user_name    text NOT NULL,
    role         text NOT NULL,
    method       text NOT NULL,
    client       text NOT NULL,
    token_ids    text NOT NULL,
    started_time timestamptz NOT NULL,
    expires      timestamptz NOT NULL
);

CREATE INDEX user_session_by_account ON user_session (account_id, started_time, session_id);
CREATE INDEX user_session_by_user ON user_session (user_id);
CREATE INDEX user_session_by_end ON user_session (expires);
