"""Build the application of a worker from the settings."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Final

import structlog
from starlette.routing import Route

from rapport import metrics
from rapport.activity import ActivityType
from rapport.api.app import Application
from rapport.api.endpoint import Resource
from rapport.api.oauth.description import OAUTH_PATHS
from rapport.api.oauth.endpoints import OAuthEndpoints
from rapport.api.openapi import describe
from rapport.api.operations import Operations
from rapport.api.pagination import Cursors
from rapport.api.resources import RESOURCES
from rapport.api.routing import combine_routes
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
from rapport.api.webhooks import WebhookReceiver
from rapport.auth.authenticator import Authenticator
from rapport.auth.authorization import Authorizer
from rapport.auth.rate_limits import GenerousRateLimiter, NoRateLimiter, RateLimiter, create_rate_limiter
from rapport.auth.token_service import TokenService
from rapport.capture.spool import SpoolWriter
from rapport.logs import configure_logs
from rapport.oauth.applications import ApplicationService
from rapport.oauth.consent import ConsentService
from rapport.oauth.grants import GrantService
from rapport.oauth.server import AuthorizationServer
from rapport.people.forgotten_passwords import ForgottenPasswords
from rapport.people.mail import Mailer
from rapport.people.oidc import OidcService
from rapport.people.sessions import SessionService
from rapport.people.sign_in import SignInService
from rapport.people.users import UserService
from rapport.recording.captured_events import CapturedEvents
from rapport.recording.group_commit import GroupCommitter
from rapport.recording.hook_registry import HookRegistry
from rapport.recording.spool_recorder import SpoolRecorder
from rapport.reporting.live_feed import LiveFeed
from rapport.settings import Limits, Settings, load_settings, main_process
from rapport.store.engines import create_store, find_spool
from rapport.store.store import Store
from rapport.web.account import AccountPage
from rapport.web.api_explorer import ApiExplorerPage
from rapport.web.applications import ApplicationsPage
from rapport.web.authorize import ConsentPages
from rapport.web.campaign import CampaignPage
from rapport.web.connect import ConnectPage
from rapport.web.contact import ContactPage
from rapport.web.error_pages import ErrorPages
from rapport.web.export import ExportPage
from rapport.web.forgotten_password import ForgottenPasswordPage
from rapport.web.hooks import HooksPage
from rapport.web.invitation import InvitationPage
from rapport.web.live import LiveFeedPage
from rapport.web.oidc import OidcPages
from rapport.web.people import PeoplePage
from rapport.web.profile import ProfilePage
from rapport.web.search import SearchPage
from rapport.web.sessions import SessionManager
from rapport.web.sign_in import SignInPage
from rapport.web.static import StaticFiles
from rapport.worker import exit_with_parent, ignore_repeated_signals, on_shutdown, stop_with_parent, tune_gc

_REPORTS_STOP_AFTER: Final = 2.0
"""Seconds after a shutdown signal in which running reports may finish."""

_USER_CODES_PER_SECOND: Final = 5
"""The number of device codes that the users of one account may try per second and worker."""

_log = structlog.get_logger("rapport")


def application() -> Application:
    """Return the application of one worker, configured from the environment."""
    exit_with_parent(main_process())
    tune_gc()
    ignore_repeated_signals()
    settings = load_settings()
    configure_logs(settings.log)
    metrics.configure()
    return build(settings, started=lambda: stop_with_parent(main_process()))


def build(settings: Settings, started: Callable[[], None] = lambda: None) -> Application:
    """Return the application. It opens the store when it starts, and commits queued activities when it stops.

    `started` is called when it is ready to serve.
    """
    store = create_store(settings)
    recorder = GroupCommitter(store.ingest, settings.max_queued_activities)
    feed = LiveFeed(store.feed, settings.max_streams)
    authenticator = Authenticator(store.secrets, settings)
    authorizer = Authorizer(authenticator, create_rate_limiter(settings.limits, store.rate_limits))
    session_service = SessionService(store, authenticator)
    sessions = SessionManager(authenticator, session_service, settings.public_url)
    token_service = TokenService(store.secrets, authenticator, settings)
    hooks = HookRegistry(store)
    folder = find_spool(settings)
    spool = SpoolWriter(folder, settings.spool_mb * 1_000_000)
    captured = SpoolRecorder(store, CapturedEvents(store, recorder.record), hooks, folder)
    resources = [
        *_v3_resources(store, Cursors(authenticator), settings),
        Merges(store.merges),
        Ingest(recorder, store.contacts, store.campaigns, store.definitions, store.erasure),
        Export(store),
        Stream(feed, authorizer),
        Operations(store, authenticator, describe(RESOURCES, OAUTH_PATHS)),
    ]
    routes = [
        # First, because routes are tried in order, and providers send the most requests.
        *WebhookReceiver(store, hooks, spool, captured, settings.public_url).routes(),
        *combine_routes(route for resource in resources for route in resource.routes(authorizer)),
        *_page_routes(store, sessions, token_service),
        *HooksPage(store, CapturedEvents(store, recorder.record), sessions, settings.public_url).routes(),
        *_people_routes(store, authenticator, sessions, session_service, settings),
        *LiveFeedPage(feed, sessions).routes(),
        *combine_routes(_oauth_routes(store, authenticator, sessions, settings)),
    ]

    @contextlib.asynccontextmanager
    async def lifespan(service: Application) -> AsyncIterator[None]:
        metrics.forget_dead_workers()
        await store.open()
        await authenticator.start()
        recorder.start()
        spool.start()
        captured.start()
        loop = asyncio.get_running_loop()
        on_shutdown(partial(loop.call_soon_threadsafe, feed.close))
        on_shutdown(partial(loop.call_soon_threadsafe, service.stop_receiving))
        on_shutdown(partial(loop.call_soon_threadsafe, loop.call_later, _REPORTS_STOP_AFTER, store.stop_reports))
        started()
        _log.info("ready")
        yield
        await feed.stop()
        await spool.stop()
        await captured.stop()
        await recorder.stop()
        await authenticator.stop()
        await store.close()
        _log.info("stopped")

    return Application(routes, ErrorPages(sessions), lifespan)


def _v3_resources(store: Store, cursors: Cursors, settings: Settings) -> list[Resource]:
    """Return the resources of Constant Contact's API."""
    default_types = (ActivityType.EM_CLICKS,) if settings.legacy_default_type else ()
    return [
        ContactReports(store.activities, cursors, default_types),
        EmailReports(store.reports, cursors),
        LandingPageReports(store.reports, cursors),
        CampaignStats(store.reports, cursors),
        CrossReferences(),
        Contacts(store.contacts, cursors),
        ContactWrites(store.contacts, store.definitions),
        *(resource(store.definitions, cursors) for resource in (ContactLists, CustomFields, ContactTags)),
        Segments(),
        BulkActivities(),
        Campaigns(store.campaigns, cursors),
        EmailSends(store.campaigns, store.reports),
        *(Account(store.accounts), AccountAddresses(store.accounts), SmsReports()),
    ]


def _page_routes(store: Store, sessions: SessionManager, token_service: TokenService) -> list[Route]:
    return [
        *ApiExplorerPage(sessions, token_service).routes(),
        *StaticFiles().routes(),
        *ConnectPage(store.contacts, sessions, token_service).routes(),
        *SearchPage(store.contacts, store.campaigns, sessions).routes(),
        *ContactPage(store.activities, store.contacts, store.erasure, sessions).routes(),
        *ExportPage(store, sessions).routes(),
        *CampaignPage(store.reports, store.campaigns, sessions).routes(),
        *AccountPage(store.reports, sessions).routes(),
    ]


def _people_routes(
    store: Store,
    authenticator: Authenticator,
    sessions: SessionManager,
    session_service: SessionService,
    settings: Settings,
) -> list[Route]:
    """Return the routes on which users sign in and are managed."""
    sign_in = SignInService(store, authenticator)
    mailer = Mailer(settings)
    forgotten = ForgottenPasswords(store, sign_in, mailer, settings.public_url)
    oidc = OidcService(store, authenticator, settings)
    return [
        *OidcPages(oidc, sign_in, sessions).routes(),
        *SignInPage(store.secrets, sessions, authenticator, sign_in, oidc.name).routes(),
        *InvitationPage(sign_in, sessions, oidc.name).routes(),
        *ForgottenPasswordPage(forgotten, sessions).routes(),
        *PeoplePage(UserService(store, authenticator), session_service, sessions, mailer).routes(),
        *ProfilePage(sign_in, session_service, GrantService(store, authenticator), sessions).routes(),
    ]


def _oauth_routes(
    store: Store, authenticator: Authenticator, sessions: SessionManager, settings: Settings
) -> list[Route]:
    """Return the routes of the authorization server. Its requests don't count towards the rate limits of the API."""
    is_off = settings.limits is Limits.OFF
    limiter: RateLimiter = NoRateLimiter() if is_off else GenerousRateLimiter()
    guesses: RateLimiter = NoRateLimiter() if is_off else GenerousRateLimiter(_USER_CODES_PER_SECOND)
    server = AuthorizationServer(store, authenticator, settings, limiter)
    return [
        *ApplicationsPage(ApplicationService(store, authenticator), sessions).routes(),
        *ConsentPages(ConsentService(store, authenticator, guesses), sessions).routes(),
        *OAuthEndpoints(server, authenticator, sessions).routes(),
    ]
