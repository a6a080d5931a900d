-- count_request: Count a request of a client. Beyond :max_per_second in a second, the day's count stays the same.
INSERT INTO request_count AS counted (client_id, second, in_second, day, in_day) VALUES (:client_id, :second, 1, :day, 1)
ON CONFLICT (client_id) DO UPDATE SET
    second    = excluded.second,
    in_second = CASE WHEN counted.second = excluded.second THEN counted.in_second + 1 ELSE 1 END,
    day       = excluded.day,
    in_day    = CASE WHEN counted.day <> excluded.day THEN 1
                     WHEN counted.second = excluded.second AND counted.in_second >= :max_per_second THEN counted.in_day
                     ELSE counted.in_day + 1 END
RETURNING in_second, in_day
