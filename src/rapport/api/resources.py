"""Every resource of the API, in the order in which the OpenAPI document lists them."""

from typing import Final

from rapport.api.endpoint import Resource
from rapport.api.operations import Operations
from rapport.api.track.export import Export
from rapport.api.track.ingest import Ingest
from rapport.api.track.merge import Merges
from rapport.api.track.stream import Stream
from rapport.api.v3.account import Account
from rapport.api.v3.account_addresses import AccountAddresses
from rapport.api.v3.bulk_activities import BulkActivities
from rapport.api.v3.campaign_stats import CampaignStats
from rapport.api.v3.campaigns import Campaigns
from rapport.api.v3.contact_custom_fields import CustomFields
from rapport.api.v3.contact_lists import ContactLists
from rapport.api.v3.contact_reports import ContactReports
from rapport.api.v3.contact_tags import ContactTags
from rapport.api.v3.contact_writes import ContactWrites
from rapport.api.v3.contacts import Contacts
from rapport.api.v3.email_reports import EmailReports
from rapport.api.v3.email_sends import EmailSends
from rapport.api.v3.landing_pages import LandingPageReports
from rapport.api.v3.segments import Segments
from rapport.api.v3.sms_reports import SmsReports
from rapport.api.v3.xrefs import CrossReferences

RESOURCES: Final[tuple[type[Resource], ...]] = (
    ContactReports,
    EmailReports,
    LandingPageReports,
    CampaignStats,
    # Before contacts, lists and campaigns, whose paths with an id match as well.
    CrossReferences,
    Contacts,
    ContactWrites,
    ContactLists,
    CustomFields,
    ContactTags,
    Segments,
    BulkActivities,
    Campaigns,
    EmailSends,
    Account,
    AccountAddresses,
    SmsReports,
    # Before the erasure of a contact, whose path matches as well.
    Merges,
    Ingest,
    Export,
    Stream,
    Operations,
)
