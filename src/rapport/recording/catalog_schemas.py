"""JSON Schemas of contact and campaign updates, for the OpenAPI document."""

from typing import Any, Final

from rapport.activity import ID_PATTERN, MAX_ID_LENGTH
from rapport.catalogue import CAMPAIGN_ROLES, CAMPAIGN_STATUSES, OPT_OUT_SOURCES, PERMISSIONS
from rapport.recording.catalog_codec import CampaignActivityLine

_ID: Final[dict[str, Any]] = {
    "anyOf": [
        {"type": "string", "pattern": ID_PATTERN, "minLength": 1, "maxLength": MAX_ID_LENGTH},
        {"type": "integer"},
    ]
}
_TEXT: Final[dict[str, Any]] = {"type": "string"}
_TIME: Final[dict[str, Any]] = {
    "description": "ISO 8601 with any offset, RFC 2822, or seconds, milliseconds or microseconds since 1970.",
    "anyOf": [{"type": "string", "format": "date-time"}, {"type": "number"}],
}


def _object(description: str, required: list[str], properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "description": description,
        "required": required,
        "properties": properties,
        "additionalProperties": False,
    }


_TEXTS: Final = tuple(field for field in CampaignActivityLine.__struct_fields__[1:] if field not in {"role", "links"})
_STATUSES: Final = [*(status.value for status in CAMPAIGN_STATUSES.values()), *CAMPAIGN_STATUSES]

CONTACT_SCHEMA: Final = _object(
    "A contact's attributes. Of two updates, the one with the later updated_at wins.",
    ["contact_id"],
    {
        "contact_id": _ID,
        "updated_at": _TIME,
        "email_address": _TEXT,
        "first_name": _TEXT,
        "last_name": _TEXT,
        "permission_to_send": {"type": "string", "enum": list(PERMISSIONS)},
        "created_at": _TIME,
        "deleted_at": _TIME,
        "opt_out_date": _TIME,
        "opt_out_source": {"type": "string", "enum": list(OPT_OUT_SOURCES)},
        "opt_out_reason": {
            "type": "string",
            "description": "This and the other opt_out fields only with `unsubscribed`.",
        },
    },
)

CAMPAIGN_SCHEMA: Final = _object(
    "A campaign's attributes. Of two updates, the one with the later updated_at wins.",
    ["campaign_id"],
    {
        "campaign_id": _ID,
        "updated_at": _TIME,
        "campaign_name": _TEXT,
        "type": _TEXT,
        "type_code": {"type": "integer", "minimum": 0, "maximum": 99},
        "current_status": {
            "type": "string",
            "enum": _STATUSES,
        },
        "created_at": _TIME,
        "campaign_activities": {
            "type": "array",
            "items": _object(
                "An email of the campaign, or a landing page.",
                ["campaign_activity_id"],
                {
                    "campaign_activity_id": _ID,
                    **{
                        field: _TEXT
                        for field in CampaignActivityLine.__struct_fields__[1:]
                        if field not in {"role", "links"}
                    },
                    "role": {"type": "string", "enum": list(CAMPAIGN_ROLES)},
                    "links": {
                        "type": "array",
                        "items": _object("A link that contacts can click.", [], {"link_url": _TEXT, "url_id": _ID}),
                    },
                },
            ),
        },
    },
)
