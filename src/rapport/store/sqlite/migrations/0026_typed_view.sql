-- Columns have types, by which programs know how to read them. Columns that a query doesn't use cost nothing: what doesn't
-- select rows is looked up in subqueries, without which one index covers questions about types, emails and times.
DROP VIEW activity;

CREATE VIEW activity AS
SELECT account.account_id,
       contact.contact_id,
       CAST(activity_type.name AS TEXT) AS type,
       CAST(strftime('%Y-%m-%dT%H:%M:%S', tracking_activity.created_time / 1000, 'unixepoch')
           || printf('.%03dZ', tracking_activity.created_time % 1000) AS TEXT) AS created_time,
       campaign_activity.campaign_activity_id,
       campaign_activity.campaign_activity_name,
       CAST((SELECT campaign_id FROM campaign WHERE key = campaign_activity.campaign) AS TEXT) AS campaign_id,
       CAST(iif(
           tracking_activity.person = 1
               AND NOT EXISTS (SELECT 1 FROM person WHERE contact = tracking_activity.contact AND number = 1),
           contact.email_address,
           (SELECT email_address FROM person
            WHERE contact = tracking_activity.contact AND number = tracking_activity.person)
       ) AS TEXT) AS email_address,
       CAST(iif(
           tracking_activity.person = 1
               AND NOT EXISTS (SELECT 1 FROM person WHERE contact = tracking_activity.contact AND number = 1),
           contact.first_name,
           (SELECT first_name FROM person
            WHERE contact = tracking_activity.contact AND number = tracking_activity.person)
       ) AS TEXT) AS first_name,
       CAST(iif(
           tracking_activity.person = 1
               AND NOT EXISTS (SELECT 1 FROM person WHERE contact = tracking_activity.contact AND number = 1),
           contact.last_name,
           (SELECT last_name FROM person
            WHERE contact = tracking_activity.contact AND number = tracking_activity.person)
       ) AS TEXT) AS last_name,
       CAST((SELECT link_url FROM link WHERE key = tracking_activity.link) AS TEXT) AS link_url,
       CAST((SELECT url_id FROM link WHERE key = tracking_activity.link) AS TEXT) AS url_id,
       CAST(CASE tracking_activity.device_type
           WHEN 0 THEN 'computer' WHEN 1 THEN 'mobile' WHEN 2 THEN 'tablet' WHEN 3 THEN 'other'
       END AS TEXT) AS device_type,
       CAST(CASE tracking_activity.bounce_code
           WHEN 0 THEN 'B' WHEN 1 THEN 'D' WHEN 2 THEN 'F' WHEN 3 THEN 'S' WHEN 4 THEN 'V' WHEN 5 THEN 'X' WHEN 6 THEN 'Z'
       END AS TEXT) AS bounce_code,
       tracking_activity.opt_out_reason,
       tracking_activity.event_id
FROM tracking_activity
JOIN contact ON contact.key = tracking_activity.contact
JOIN account ON account.key = contact.account
JOIN activity_type ON activity_type.number = tracking_activity.type
JOIN campaign_activity ON campaign_activity.key = tracking_activity.campaign_activity;
