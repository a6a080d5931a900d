"""Every resource of the API, in the order in which the OpenAPI document lists them."""

from typing import Final

from rapport.api.endpoint import Resource
from rapport.api.ops import Operations
from rapport.api.track.ingest import Ingest
from rapport.api.track.stream import Stream
from rapport.api.v3.account import Account
from rapport.api.v3.campaign_stats import CampaignStats
from rapport.api.v3.campaigns import Campaigns
from rapport.api.v3.contact_reports import ContactReports
from rapport.api.v3.contacts import Contacts
from rapport.api.v3.email_reports import EmailReports
from rapport.api.v3.landing_pages import LandingPageReports

RESOURCES: Final[tuple[type[Resource], ...]] = (
    ContactReports,
    EmailReports,
    LandingPageReports,
    CampaignStats,
    Contacts,
    Campaigns,
    Account,
    Ingest,
    Stream,
    Operations,
)
