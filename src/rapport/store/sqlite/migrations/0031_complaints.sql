-- Opt-outs whose reason is a complaint are counted by contact, as bounces are by their codes: with the code 100.
INSERT INTO bounced_contact (campaign_activity, bounce_code, contact, activities)
SELECT campaign_activity, 100, contact, count(*)
FROM tracking_activity WHERE type = 4 AND opt_out_reason IN ('complaint', 'spam complaint', 'spam report')
GROUP BY campaign_activity, contact;

INSERT INTO campaign_activity_stats (campaign_activity, type, detail, total, contacts, last_time)
SELECT campaign_activity, type, 100, count(*), count(DISTINCT contact), max(created_time)
FROM tracking_activity WHERE type = 4 AND opt_out_reason IN ('complaint', 'spam complaint', 'spam report')
GROUP BY campaign_activity, type;
