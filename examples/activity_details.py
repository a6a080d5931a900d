"""Print all activities of a contact, newest first, with only the standard library.

usage: URL=http://127.0.0.1:8080 TOKEN=$(rapport token create) python activity_details.py CONTACT_ID
"""

import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request

URL = os.environ.get("URL", "http://127.0.0.1:8080")
TYPES = (
    "em_sends,em_opens,em_clicks,em_bounces,em_optouts,em_forwards,"
    "p_contact_open,p_contact_click,p_contact_add,p_contact_update"
)


def main(contact_id: str) -> None:
    """Print the contact's activities, one per line."""
    contact = urllib.parse.quote(contact_id, safe="")
    href = f"/v3/reports/contact_reports/{contact}/activity_details?tracking_activities_list={TYPES}"
    while href:
        request = urllib.request.Request(URL + href, headers={"Authorization": f"Bearer {os.environ['TOKEN']}"})
        try:
            with urllib.request.urlopen(request) as response:
                page = json.load(response)
        except urllib.error.HTTPError as error:
            sys.exit(error.read().decode())
        for activity in page["tracking_activities"]:
            name = activity.get("campaign_activity_name", "")
            print(activity["created_time"], activity["tracking_activity_type"], name, sep="\t")
        # The link to the next page includes all parameters; the last page has no such link.
        href = page["_links"].get("next", {}).get("href")


if __name__ == "__main__":
    if len(sys.argv) != 2 or "TOKEN" not in os.environ:
        print(f"{__doc__}".strip(), file=sys.stderr)
        sys.exit(2)
    main(sys.argv[1])
