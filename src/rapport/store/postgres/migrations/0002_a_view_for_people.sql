-- For people who look: every activity with all that is known of it, by its public names. Nothing in the house reads it.

CREATE VIEW activity AS
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
       device_type.name AS device_type,
       bounce_code.code AS bounce_code,
       tracking_activity.opt_out_reason,
       tracking_activity.event_id
FROM tracking_activity
JOIN contact ON contact.key = tracking_activity.contact
JOIN account ON account.key = contact.account
JOIN activity_type ON activity_type.number = tracking_activity.type
JOIN campaign_activity ON campaign_activity.key = tracking_activity.campaign_activity
LEFT JOIN campaign ON campaign.key = campaign_activity.campaign
LEFT JOIN person ON person.contact = tracking_activity.contact AND person.key = tracking_activity.person
LEFT JOIN link ON link.key = tracking_activity.link
LEFT JOIN device_type ON device_type.number = tracking_activity.device_type
LEFT JOIN bounce_code ON bounce_code.number = tracking_activity.bounce_code;
