<?php
// Print all activities of a contact, newest first, with PHP and its cURL extension.
//
//   URL=http://127.0.0.1:8080 TOKEN=$(rapport token create) php activity_details.php CONTACT_ID

declare(strict_types=1);

const TYPES = 'em_sends,em_opens,em_clicks,em_bounces,em_optouts,em_forwards,'
    . 'p_contact_open,p_contact_click,p_contact_add,p_contact_update';

if ($argc !== 2 || !getenv('TOKEN')) {
    fwrite(STDERR, 'usage: URL=http://127.0.0.1:8080 TOKEN=$(rapport token create) php activity_details.php CONTACT_ID' . "\n");
    exit(2);
}
$url = getenv('URL') ?: 'http://127.0.0.1:8080';
$contact = rawurlencode($argv[1]);
$href = "/v3/reports/contact_reports/$contact/activity_details?tracking_activities_list=" . TYPES;

$request = curl_init();
curl_setopt_array($request, [
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_HTTPHEADER => ['Authorization: Bearer ' . getenv('TOKEN')],
]);
while ($href !== null) {
    curl_setopt($request, CURLOPT_URL, $url . $href);
    $body = curl_exec($request);
    if ($body === false || curl_getinfo($request, CURLINFO_RESPONSE_CODE) !== 200) {
        fwrite(STDERR, ($body === false ? curl_error($request) : $body) . "\n");
        exit(1);
    }
    $page = json_decode($body, flags: JSON_THROW_ON_ERROR);
    foreach ($page->tracking_activities as $activity) {
        $name = $activity->campaign_activity_name ?? '';
        echo "$activity->created_time\t$activity->tracking_activity_type\t$name\n";
    }
    // The link to the next page includes all parameters; the last page has no such link.
    $href = $page->_links->next->href ?? null;
}
