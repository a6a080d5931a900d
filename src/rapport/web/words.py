"""What types, devices and bounce codes are called on pages."""

from typing import Final

ACTIVITY_LABELS: Final = (
    "Sent",
    "Opened",
    "Clicked",
    "Bounced",
    "Opted out",
    "Forwarded",
    "Opened page",
    "Clicked on page",
    "Joined",
    "Updated details",
)
"""By the number of the type."""

DEVICE_WORDS: Final = ("on a computer", "on a phone", "on a tablet", "on another device")
"""By the number of the device type."""

SCOPE_LABELS: Final = {
    "contact_data": "read contacts, and what they did",
    "campaign_data": "read campaigns, and how they did",
    "account_read": "read the account",
    "activity_write": "record, state and erase",
    "account_update": "update account details",
    "offline_access": "keep access while you are away",
}
"""By the name of the scope: what a token may."""

ROLE_LABELS: Final = {"owner": "owner", "manager": "manager", "campaign_creator": "campaign creator"}
"""By the name of the role."""

BOUNCE_WORDS: Final = {
    "B": "address does not exist",
    "D": "undeliverable",
    "F": "mailbox full",
    "S": "suspended",
    "V": "vacation reply",
    "X": "other reason",
    "Z": "blocked",
}

PERMISSION_WORDS: Final = (
    "explicit",
    "implicit",
    "pending confirmation",
    "unsubscribed",
    "temporarily on hold",
    "not set",
)
"""By the number of the permission to send."""

REPORT_WORDS: Final = {
    "sends": "Sent to",
    "opens": "Opens",
    "unique_opens": "Opened by",
    "didnotopens": "Not opened by",
    "clicks": "Clicks",
    "forwards": "Forwards",
    "optouts": "Opted out",
    "bounces": "Bounces",
    "p_contact_opens": "Page opens",
    "p_unique_contact_opens": "Page opened by",
    "p_unique_contact_clicks": "Links clicked by",
    "p_unique_contact_adds": "Joined",
    "p_unique_contact_updates": "Updated their details",
}
"""By the last segment of the report's path."""
