#!/usr/bin/env bash
# Print all activities of a contact, newest first, with curl and jq.
#
#   URL=http://127.0.0.1:8080 TOKEN=$(rapport token create) bash activity_details.sh CONTACT_ID
set -euo pipefail

if [ $# -ne 1 ] || [ -z "${TOKEN:-}" ]; then
    echo 'usage: URL=http://127.0.0.1:8080 TOKEN=$(rapport token create) bash activity_details.sh CONTACT_ID' >&2
    exit 2
fi

url=${URL:-http://127.0.0.1:8080}
types=em_sends,em_opens,em_clicks,em_bounces,em_optouts,em_forwards
types+=,p_contact_open,p_contact_click,p_contact_add,p_contact_update
contact=$(jq --null-input --raw-output --arg id "$1" '$id | @uri')

href="/v3/reports/contact_reports/$contact/activity_details?tracking_activities_list=$types"
while [ -n "$href" ]; do
    # Pass the token on standard input: other users of the machine can read command lines.
    page=$(curl --silent --show-error --fail-with-body --header @- "$url$href" <<<"Authorization: Bearer $TOKEN") || {
        echo "$page" >&2
        exit 1
    }
    jq --raw-output '.tracking_activities[]
        | [.created_time, .tracking_activity_type, .campaign_activity_name // ""] | @tsv' <<<"$page"
    # The link to the next page includes all parameters; the last page has no such link.
    href=$(jq --raw-output '._links.next.href // ""' <<<"$page")
done
