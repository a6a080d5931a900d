"""JSON Schemas of updates of contacts, lists, tags, custom fields and campaigns, for the OpenAPI document."""

from typing import Any, Final

from rapport.activity import ID_PATTERN, MAX_ID_LENGTH
from rapport.catalog import (
    CAMPAIGN_ROLES,
    CAMPAIGN_STATUSES,
    CLEARABLE_FIELDS,
    CUSTOM_FIELD_TYPES,
    OPT_OUT_SOURCES,
    PERMISSIONS,
    PHONE_KINDS,
    STREET_KINDS,
)
from rapport.recording.catalog_codec import CampaignActivityLine

_ID: Final[dict[str, Any]] = {
    "anyOf": [
        {"type": "string", "pattern": ID_PATTERN, "minLength": 1, "maxLength": MAX_ID_LENGTH},
        {"type": "integer"},
    ]
}
_IDS: Final[dict[str, Any]] = {"type": "array", "items": _ID}
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
        "job_title": _TEXT,
        "company_name": _TEXT,
        "anniversary": _TEXT,
        "birthday_month": {"type": "integer", "minimum": 1, "maximum": 12},
        "birthday_day": {"type": "integer", "minimum": 1, "maximum": 31},
        "create_source": {"type": "string", "enum": list(OPT_OUT_SOURCES)},
        "update_source": {"type": "string", "enum": list(OPT_OUT_SOURCES)},
        "list_memberships": {**_IDS, "description": "The lists that the contact is on, instead of all others."},
        "taggings": {**_IDS, "description": "The tags that the contact has, instead of all others."},
        "custom_fields": {
            "type": "array",
            "items": _object(
                "A value of a custom field, or the ids of choices; null removes it.",
                ["custom_field_id"],
                {
                    "custom_field_id": _ID,
                    "value": {"anyOf": [{"type": kind} for kind in ("string", "number", "boolean", "null")]},
                    "choice_ids": _IDS,
                },
            ),
        },
        "phone_numbers": {
            "type": "array",
            "items": _object(
                "A phone number.",
                ["phone_number"],
                {"phone_number": _TEXT, "kind": {"type": "string", "enum": list(PHONE_KINDS)}},
            ),
        },
        "street_addresses": {
            "type": "array",
            "items": _object(
                "A street address.",
                [],
                {
                    "kind": {"type": "string", "enum": list(STREET_KINDS)},
                    **dict.fromkeys(("street", "city", "state", "postal_code", "country"), _TEXT),
                },
            ),
        },
        "notes": {
            "type": "array",
            "items": _object(
                "A note; without created_at, of the time of the update.",
                ["content"],
                {"content": _TEXT, "created_at": _TIME},
            ),
        },
        "clear": {
            "type": "array",
            "description": "Fields whose values are removed.",
            "items": {"type": "string", "enum": sorted(CLEARABLE_FIELDS)},
        },
    },
)

_DEFINITION_TIMES: Final = {"updated_at": _TIME, "created_at": _TIME, "deleted_at": _TIME}

LIST_SCHEMA: Final = _object(
    "A contact list. Of two updates, the one with the later updated_at wins.",
    ["list_id"],
    {
        "list_id": _ID,
        "name": _TEXT,
        "description": _TEXT,
        "favorite": {"type": "boolean"},
        **_DEFINITION_TIMES,
    },
)

TAG_SCHEMA: Final = _object(
    "A tag of contacts. Of two updates, the one with the later updated_at wins.",
    ["tag_id"],
    {"tag_id": _ID, "name": _TEXT, "tag_source": _TEXT, **_DEFINITION_TIMES},
)

CUSTOM_FIELD_SCHEMA: Final = _object(
    "A custom field of contacts. Of two updates, the one with the later updated_at wins.",
    ["custom_field_id"],
    {
        "custom_field_id": _ID,
        "label": _TEXT,
        "type": {"type": "string", "enum": list(CUSTOM_FIELD_TYPES)},
        "choices": {
            "type": "array",
            "items": _object(
                "A value that the field can have.",
                ["choice_id", "choice_label"],
                {
                    "choice_id": {"type": "integer", "minimum": 0},
                    "choice_label": _TEXT,
                    "display_order": {"type": "integer", "minimum": 0},
                },
            ),
        },
        **_DEFINITION_TIMES,
    },
)

MERGE_SCHEMA: Final = _object(
    "An id of a contact, and the id of the contact that it is merged into.",
    ["contact_id", "merged_into"],
    {"contact_id": _ID, "merged_into": _ID},
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
