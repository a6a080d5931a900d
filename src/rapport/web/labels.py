"""Labels of activity types, devices, bounce codes, permissions and reports on pages."""

from typing import Final

ACTIVITY_LABELS: Final = (
    "Sent",
    "Opened",
    "Clicked",
    "Bounced",
    "Unsubscribed",
    "Forwarded",
    "Viewed landing page",
    "Clicked on landing page",
    "Signed up",
    "Updated profile",
)
"""By the number of the type."""

DEVICE_LABELS: Final = ("on a computer", "on a phone", "on a tablet", "on another device")
"""By the number of the device type."""

SCOPE_LABELS: Final = {
    "contact_data": "Read contacts and activity",
    "campaign_data": "Read campaigns and results",
    "account_read": "Read account details",
    "activity_write": "Record, update and erase data",
    "account_update": "Update account details",
    "offline_access": "Keep access while you are away",
}
"""What a token with a scope can do, by the name of the scope."""

ROLE_LABELS: Final = {"owner": "owner", "manager": "manager", "campaign_creator": "campaign creator"}
"""By the name of the role."""

METHOD_LABELS: Final = {"password": "Password", "link": "Sign-in link", "token": "Token", "oidc": "Provider"}
"""How somebody signed in, by the name of the method."""

BOUNCE_LABELS: Final = {
    "B": "Invalid address (hard)",
    "D": "Undeliverable",
    "F": "Mailbox full",
    "S": "Mailbox suspended",
    "V": "Auto-reply",
    "X": "Other reason",
    "Z": "Blocked",
}

PERMISSION_LABELS: Final = (
    "explicit",
    "implicit",
    "pending confirmation",
    "unsubscribed",
    "temporarily on hold",
    "not set",
)
"""By the number of the permission to send."""

REPORT_LABELS: Final = {
    "sends": "Recipients",
    "opens": "Opens",
    "unique_opens": "Unique opens",
    "didnotopens": "Did not open",
    "clicks": "Clicks",
    "forwards": "Forwards",
    "optouts": "Unsubscribed",
    "bounces": "Bounces",
    "p_contact_opens": "Landing page views",
    "p_unique_contact_opens": "Unique landing page views",
    "p_unique_contact_clicks": "Unique landing page clicks",
    "p_unique_contact_adds": "Signed up",
    "p_unique_contact_updates": "Updated profile",
}
"""By the last segment of the report's path."""
