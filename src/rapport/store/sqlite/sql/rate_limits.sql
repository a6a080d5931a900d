-- count_request: Count a request of a client. Beyond :max_per_second in a second, the day's count stays the same.
INSERT INTO request_count (client_id, second, in_second, day, in_day) VALUES (:client_id, :second, 1, :day, 1)
ON CONFLICT (client_id) DO UPDATE SET
    second    = :second,
    in_second = CASE WHEN second = :second THEN in_second + 1 ELSE 1 END,
    day       = :day,
    in_day    = CASE WHEN day <> :day THEN 1
                     WHEN second = :second AND in_second >= :max_per_second THEN in_day
                     ELSE in_day + 1 END
RETURNING in_second, in_day;
