"""Ids that the examples of the OpenAPI document share."""

from typing import Final

CONTACT_ID: Final = "aa9ff7b0-478d-11e6-8059-00163e3c8e19"
CAMPAIGN_ID: Final = "8987dc1a-48ef-433a-b836-7ca4f9aa3481"
CAMPAIGN_ACTIVITY_ID: Final = "71600990-908b-11e6-907f-00166bff25"
LIST_ID: Final = "07936f78-662a-11eb-af0a-fa163e56c9b0"
CUSTOM_FIELD_ID: Final = "5c5f2a4e-9c8d-11ec-9a7f-fa163e56c9b0"
TAG_ID: Final = "70ad7d1c-7c1d-11ea-8f2f-d4ae5292c4dd"
ACTIVITY_ID: Final = "04fe9a97-a579-43c5-bb1a-58ed29bf0a6a"
CURSOR: Final = "uM3cVx0GkN5yQw8B2rT1"
