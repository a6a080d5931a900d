"""Every operation of Constant Contact's SDKs that exists here, in the order in which tests call them.

The SDKs for Python and TypeScript are generated from the same description: the names of their methods differ in case
only, and their arguments have the same order.
"""

import re
from typing import Any, Final, NamedTuple
from uuid import UUID

from msgspec import structs

from rapport.auth.scope import Scope
from rapport.settings import Settings
from rapport.store.accounts import AccountDetails
from rapport.store.engines import open_store
from tests.helpers.api import ApiClient, make_line
from tests.helpers.loop import run_async
from tests.helpers.server import Server

LIST, TAG, FIELD, CAMPAIGN, EMAIL, PAGE, ADA, BEN, NOBODY = (str(UUID(int=number)) for number in range(1, 10))
START, END = "2026-01-01", "2026-12-31"
ALL: Final = "custom_fields,list_memberships,phone_numbers,street_addresses,taggings,notes"
NEW_CONTACT: Final = {
    "email_address": {"address": "grace@example.com", "permission_to_send": "implicit"},
    "first_name": "Grace",
    "create_source": "Account",
    "list_memberships": [LIST],
    "taggings": [TAG],
    "custom_fields": [{"custom_field_id": FIELD, "choice_ids": ["1"]}],
    "phone_numbers": [{"phone_number": "555-1212", "kind": "home"}],
    "street_addresses": [{"kind": "home", "city": "Arlington"}],
    "notes": [{"content": "Called."}],
    "sms_channel": {
        "full_sms_address": "17815551212",
        "sms_channel_consents": [{"consent_type": "promotional_sms", "sms_consent_permission": "explicit"}],
    },
}
SIGN_UP: Final = {"email_address": "grace@example.com", "list_memberships": [LIST], "last_name": "Hopper"}


ACCOUNT_SERVICES: Final = "AccountServicesApi"
BULK_ACTIVITIES: Final = "BulkActivitiesApi"
CONTACT_LISTS: Final = "ContactListsApi"
CONTACT_TAGS: Final = "ContactTagsApi"
CONTACTS: Final = "ContactsApi"
CONTACTS_CUSTOM_FIELDS: Final = "ContactsCustomFieldsApi"
CONTACTS_REPORTING: Final = "ContactsReportingApi"
EMAIL_CAMPAIGNS: Final = "EmailCampaignsApi"
EMAIL_REPORTING: Final = "EmailReportingApi"
EMAIL_SCHEDULING: Final = "EmailSchedulingApi"
LANDING_PAGES_REPORTING: Final = "LandingPagesReportingApi"
SMS_REPORTING: Final = "SMSReportingApi"
SEGMENTS: Final = "SegmentsApi"


class Operation(NamedTuple):
    """A call of an SDK, and what its response must contain: see `is_contained`."""

    api: str
    method: str
    args: tuple[Any, ...] = ()
    expected: Any = {}  # noqa: RUF012 - never changed
    status: int = 200

    @property
    def javascript_method(self) -> str:
        """Name of the method in TypeScript."""
        name = re.sub(r"_(\w)", lambda match: match[1].upper(), self.method)
        return name.replace("SmsOptIns", "SMSOptIns")


def fill_account(server: Server, account: str) -> str:
    """Record two contacts, an email and a landing page, with one activity of each type. Return a token."""
    run_async(_set_details(server.data, account))
    with server.client(account, frozenset(Scope)) as client:
        _record(client)
        return client.token


async def _set_details(data: str, account: str) -> None:
    """Describe the account. The SDK for Python requires an address."""
    address = AccountDetails(address_line1="123 Maple Street", city="Boston", state_code="MA", country_code="US")
    async with open_store(Settings(data=data)) as store:
        await store.accounts.ensure(account)
        await store.accounts.set_details(account, structs.replace(address, contact_email="ada@example.com"))


def _record(client: ApiClient) -> None:
    client.post("/track/v1/lists", json=[{"list_id": LIST, "name": "News"}])
    client.post("/track/v1/tags", json=[{"tag_id": TAG, "name": "vip"}])
    choices = [{"choice_id": 1, "choice_label": "red"}]
    field = {"custom_field_id": FIELD, "label": "Color", "type": "single_select", "choices": choices}
    client.post("/track/v1/custom_fields", json=[field])
    address = {"email_address": "ada@example.com", "first_name": "Ada"}
    contact = {"contact_id": ADA, **address, "list_memberships": [LIST], "taggings": [TAG]}
    client.post("/track/v1/contacts", json=[contact])
    email = {"campaign_activity_id": EMAIL, "campaign_id": CAMPAIGN, "campaign_activity_name": "Spring"}
    link = {"link_url": "https://example.com/", "url_id": "17"}
    client.record(
        *(
            make_line(contact_id, activity_type, **email, **details)
            for contact_id, activity_type, details in (
                (ADA, "em_sends", address),
                (ADA, "em_opens", {}),
                (ADA, "em_clicks", link),
                (ADA, "em_forwards", {}),
                (ADA, "em_optouts", {}),
                (BEN, "em_sends", {}),
                (BEN, "em_bounces", {"bounce_code": "B"}),
            )
        ),
        *(
            make_line(ADA, activity_type, campaign_activity_id=PAGE, **details)
            for activity_type, details in (
                ("p_contact_open", {}),
                ("p_contact_click", link),
                ("p_contact_add", {}),
                ("p_contact_update", {}),
            )
        ),
    )


def _row(contact_id: str = ADA) -> dict[str, Any]:
    return {"tracking_activities": [{"contact_id": contact_id}]}


READS: Final = (
    Operation(ACCOUNT_SERVICES, "get_account_details", ("physical_address",), {"physical_address": {"city": "Boston"}}),
    Operation(ACCOUNT_SERVICES, "get_account_physical_address", (), {"city": "Boston"}),
    Operation(
        ACCOUNT_SERVICES, "get_all_account_email_addresses", ("CONFIRMED",), [{"roles": ["CONTACT", "REPLY_TO"]}]
    ),
    Operation(ACCOUNT_SERVICES, "get_user_privileges"),
    Operation(BULK_ACTIVITIES, "get_all_activities", (50,), {"activities": []}),
    Operation(BULK_ACTIVITIES, "get_activity_by_id", (NOBODY,), status=404),
    Operation(CONTACT_LISTS, "get_all_lists", (50, True, "all"), {"lists": [{"list_id": LIST}], "lists_count": 1}),
    Operation(CONTACT_LISTS, "get_list", (LIST, "all"), {"name": "News", "membership_count": 1}),
    Operation(CONTACT_LISTS, "get_list_id_xrefs", ("1,2",), {"xrefs": []}),
    Operation(CONTACT_TAGS, "get_all_tags", (50, True), {"tags": [{"name": "vip", "contacts_count": 1}]}),
    Operation(CONTACT_TAGS, "get_tag", (TAG, True), {"name": "vip", "contacts_count": 1}),
    Operation(CONTACTS_CUSTOM_FIELDS, "get_all_custom_fields", (50,), {"custom_fields": [{"label": "Color"}]}),
    Operation(CONTACTS_CUSTOM_FIELDS, "get_custom_field", (FIELD,), {"choices": [{"choice_label": "red"}]}),
    Operation(SEGMENTS, "get_all_segments", ("50", "name"), {"segments": []}),
    Operation(SEGMENTS, "get_segment_by_id", (57,), status=404),
    Operation(CONTACTS, "get_all_contacts", ("all",), {"contacts": [{}, {}]}),
    Operation(
        CONTACTS,
        "get_all_contacts",
        (None, None, LIST, None, TAG, *[None] * 6, "list_memberships", None, True, 10),
        {"contacts": [{"contact_id": ADA, "list_memberships": [LIST]}], "contacts_count": 1},
    ),
    Operation(CONTACTS, "get_contact_by_id", (ADA, ALL), {"contact_id": ADA, "taggings": [TAG], "notes": []}),
    Operation(CONTACTS, "get_contact_by_id", (NOBODY,), status=404),
    Operation(CONTACTS, "get_contact_counts", ("new_subscribers",), {"total": 2}),
    Operation(CONTACTS, "get_contact_id_xrefs", ("1,2",), {"xrefs": []}),
    Operation(EMAIL_CAMPAIGNS, "get_all_email_campaigns", (50,), {"campaigns": [{"campaign_id": CAMPAIGN}]}),
    Operation(EMAIL_CAMPAIGNS, "get_email_campaign_by_id", (CAMPAIGN,), {"name": "Spring"}),
    Operation(EMAIL_CAMPAIGNS, "get_email_campaign_activity", (EMAIL,), {"campaign_id": CAMPAIGN}),
    Operation(EMAIL_CAMPAIGNS, "get_email_campaign_xrefs", ("1,2",), {"xrefs": []}),
    Operation(EMAIL_SCHEDULING, "get_email_campaign_activity_preview", (EMAIL,), {"campaign_activity_id": EMAIL}),
    Operation(EMAIL_SCHEDULING, "get_email_campaign_activity_schedule", (EMAIL,), []),
    Operation(EMAIL_SCHEDULING, "get_email_campaign_activity_send_history", (EMAIL,), [{"count": 2}]),
    Operation(CONTACTS_REPORTING, "get_contact_tracking_report", (ADA, ["em_opens"]), _row() | {"_links": {}}),
    Operation(
        CONTACTS_REPORTING, "get_contact_tracking_report", (ADA, None, ["em_opens", "em_clicks"], True, "1"), _row()
    ),
    Operation(CONTACTS_REPORTING, "get_contact_tracking_count_report", (ADA, START, END), {"contact_id": ADA}),
    Operation(CONTACTS_REPORTING, "get_contact_open_click_rate_report", (ADA, START, END), {"average_open_rate": 1}),
    Operation(
        EMAIL_REPORTING, "get_campaign_activity_link_report", (EMAIL,), {"link_click_counts": [{"url_id": "17"}]}
    ),
    Operation(EMAIL_REPORTING, "get_email_sends_report", (EMAIL,), {"tracking_activities": [{}, {}]}),
    Operation(EMAIL_REPORTING, "get_email_opens_report", (EMAIL,), _row()),
    Operation(EMAIL_REPORTING, "get_unique_opens_report", (EMAIL,), _row()),
    Operation(EMAIL_REPORTING, "get_did_not_opens_report", (EMAIL,), {"tracking_activities": []}),
    Operation(EMAIL_REPORTING, "get_clicks_report", (EMAIL, 17), _row()),
    Operation(EMAIL_REPORTING, "get_forwards_report", (EMAIL,), _row()),
    Operation(EMAIL_REPORTING, "get_optouts_report", (EMAIL,), _row()),
    Operation(EMAIL_REPORTING, "get_bounces_report", (EMAIL, ["B", "Z"]), _row(BEN)),
    Operation(EMAIL_REPORTING, "get_bounces_report", (EMAIL, ["X"]), {"tracking_activities": []}),
    Operation(EMAIL_REPORTING, "get_email_campaign_report", ("50",), {"bulk_email_campaign_summaries": [{}]}),
    Operation(EMAIL_REPORTING, "get_email_stats_report", (CAMPAIGN,), {"results": [{"campaign_id": CAMPAIGN}]}),
    Operation(EMAIL_REPORTING, "get_email_campaign_activity_report", (EMAIL,), {"results": [{}]}),
    Operation(LANDING_PAGES_REPORTING, "get_contact_opens", (PAGE, "50"), _row()),
    Operation(LANDING_PAGES_REPORTING, "get_unique_contact_opens", (PAGE,), _row()),
    Operation(LANDING_PAGES_REPORTING, "get_unique_contact_clicks", (PAGE,), _row()),
    Operation(LANDING_PAGES_REPORTING, "get_contact_adds", (PAGE,), _row()),
    Operation(LANDING_PAGES_REPORTING, "get_unique_contact_updates", (PAGE,), _row()),
    Operation(LANDING_PAGES_REPORTING, "get_unique_contact_sms_opt_ins", (PAGE,), {"tracking_activities": []}),
    Operation(SMS_REPORTING, "get_all_bulk_sms_campaign_summaries", (START,), {"bulk_sms_campaign_summaries": []}),
)

WRITES: Final = (
    Operation(
        CONTACTS,
        "create_contact",
        (NEW_CONTACT,),
        {"custom_fields": [{"choice_ids": ["1"]}], "notes": [{"content": "Called."}]},
        201,
    ),
    Operation(CONTACTS, "create_contact", (NEW_CONTACT,), status=409),
    Operation(CONTACTS, "create_or_update_contact", (SIGN_UP,), {"action": "updated"}),
    Operation(
        CONTACTS,
        "update_contact",
        (ADA, {"update_source": "Account", "first_name": "Augusta"}),
        {"contact_id": ADA, "first_name": "Augusta"},
    ),
    Operation(CONTACTS, "delete_contact", (BEN,), None, 204),
    Operation(CONTACTS, "delete_contact", (NOBODY,), None, 404),
)


def is_contained(expected: Any, actual: Any) -> bool:  # noqa: ANN401 - JSON
    """Return True if the actual JSON has the expected keys and values; lists must have the same length."""
    if isinstance(expected, dict):
        return not expected or (
            isinstance(actual, dict)
            and all(name in actual and is_contained(value, actual[name]) for name, value in expected.items())
        )
    if isinstance(expected, list):
        return isinstance(actual, list) and len(expected) == len(actual) and all(map(is_contained, expected, actual))
    return bool(expected == actual)
