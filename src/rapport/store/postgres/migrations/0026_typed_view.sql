-- Tables whose columns a query doesn't use aren't read, and there are few enough for the planner to consider every order.
CREATE OR REPLACE VIEW activity AS
SELECT account.account_id,
       contact.contact_id,
       activity_type.name AS type,
       tracking_activity.created_time AS created_time,
       campaign_activity.campaign_activity_id,
       campaign_activity.campaign_activity_name,
       campaign.campaign_id,
       person.email_address,
       person.first_name,
       person.last_name,
       link.link_url,
       link.url_id,
       CASE tracking_activity.device_type
           WHEN 0 THEN 'computer' WHEN 1 THEN 'mobile' WHEN 2 THEN 'tablet' WHEN 3 THEN 'other'
       END AS device_type,
       CASE tracking_activity.bounce_code
           WHEN 0 THEN 'B' WHEN 1 THEN 'D' WHEN 2 THEN 'F' WHEN 3 THEN 'S' WHEN 4 THEN 'V' WHEN 5 THEN 'X' WHEN 6 THEN 'Z'
       END AS bounce_code,
       tracking_activity.opt_out_reason,
       tracking_activity.event_id
FROM tracking_activity
JOIN activity_type ON activity_type.number = tracking_activity.type
LEFT JOIN contact ON contact.key = tracking_activity.contact
LEFT JOIN account ON account.key = contact.account
LEFT JOIN campaign_activity ON campaign_activity.key = tracking_activity.campaign_activity
LEFT JOIN campaign ON campaign.key = campaign_activity.campaign
LEFT JOIN person ON person.contact = tracking_activity.contact AND person.key = tracking_activity.person
LEFT JOIN link ON link.key = tracking_activity.link;
