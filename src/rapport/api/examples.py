"""Ids that the examples of the OpenAPI document share."""

from typing import Final

CONTACT_ID: Final = "aa9ff7b0-478d-11e6-8059-00163e3c8e19"
CAMPAIGN_ID: Final = "8987dc1a-48ef-433a-b836-7ca4f9aa3481"
CAMPAIGN_ACTIVITY_ID: Final = "71600990-908b-11e6-907f-00166bff25"
CURSOR: Final = "uM3cVx0GkN5yQw8B2rT1"
