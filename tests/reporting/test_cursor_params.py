"""Cursors that were handed out before an upgrade stay valid after it."""

from typing import Final

import pytest
from msgspec.structs import fields

from rapport.reporting.campaigns import CampaignsRequest
from rapport.reporting.contact_summary import SummaryRequest
from rapport.reporting.contacts import ContactsRequest
from rapport.reporting.cursor_params import CursorParams
from rapport.reporting.definitions import DefinitionsRequest
from rapport.reporting.page import PageRequest
from rapport.reporting.stats import SummariesRequest
from rapport.reporting.tracking_reports import LinksRequest, TrackingRequest

RELEASED: Final[dict[type[CursorParams], tuple[str, ...]]] = {
    CampaignsRequest: ("within", "limit", "after"),
    SummaryRequest: ("period", "after"),
    ContactsRequest: (
        "email_address",
        "statuses",
        "updated",
        "created",
        "limit",
        "with_count",
        "included",
        "after",
        "opted_out",
        "lists",
        "tags",
    ),
    DefinitionsRequest: (
        "type",
        "name",
        "with_current",
        "with_deleted",
        "limit",
        "with_count",
        "count_active",
        "after",
    ),
    PageRequest: ("types", "limit", "with_names", "not_before", "after"),
    SummariesRequest: ("limit", "not_before", "after"),
    TrackingRequest: ("limit", "not_before", "after", "url_id", "bounce_codes", "contacts_filter"),
    LinksRequest: ("limit", "no_clicks", "after"),
}
"""The fields of each class, by their positions in released cursors. Only append to them."""


def test_all_cursors_are_checked() -> None:
    assert set(RELEASED) == set(CursorParams.__subclasses__())


@pytest.mark.parametrize("params", RELEASED, ids=lambda params: params.__name__)
def test_cursor_of_earlier_version_can_be_decoded(params: type[CursorParams]) -> None:
    known = len(RELEASED[params])
    assert params.__struct_fields__[:known] == RELEASED[params]
    assert not any(field.required for field in fields(params)[known:]), "new fields need a default"
