"""Assembly: from the settings to the application that a worker serves. Decides nothing."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Final

import structlog

from rapport import metrics
from rapport.activity import ActivityType
from rapport.api.health import Health
from rapport.api.jwks import PublishedKeys
from rapport.api.openapi import Description
from rapport.api.service import Service
from rapport.api.stream import Stream
from rapport.api.track import Track
from rapport.api.v3.account import Accounts
from rapport.api.v3.campaign_stats import CampaignStats
from rapport.api.v3.contact_reports import ContactReports
from rapport.api.v3.contacts import ContactRoutes
from rapport.api.v3.email_reports import EmailReports
from rapport.api.v3.emails import EmailRoutes
from rapport.auth.gate import Gate
from rapport.auth.grant import Grants
from rapport.auth.limits import limiter_for
from rapport.auth.watch import KeyWatch
from rapport.logs import configure_logs
from rapport.recording.record import Recorder
from rapport.reporting.live import Feed
from rapport.settings import Settings, main_process, settings_from_environment
from rapport.store.engines import store_for
from rapport.web.account import AccountPage
from rapport.web.campaign import CampaignPage
from rapport.web.connect import ConnectPage
from rapport.web.contact import ContactPage
from rapport.web.door import Door
from rapport.web.error_pages import ErrorPages
from rapport.web.export import Exporting
from rapport.web.find import Finding
from rapport.web.live import LivePart
from rapport.web.pages import Pages
from rapport.web.sign_in import SigningIn
from rapport.web.static import StaticFiles
from rapport.worker import before_stopping, collect_garbage_rarely, die_with_parent, stop_only_once, stop_with_parent

_REPORTS_STOP_AFTER: Final = 2.0
"""Seconds from the signal to stop in which reports may be finished."""

_log = structlog.get_logger("rapport")


def application() -> Service:
    """The application of one worker, as set in the environment."""
    die_with_parent(main_process())
    collect_garbage_rarely()
    stop_only_once()
    settings = settings_from_environment()
    configure_logs(settings.log)
    return build(settings, started=lambda: stop_with_parent(main_process()))


def build(settings: Settings, started: Callable[[], None] = lambda: None) -> Service:
    """The application as set; it opens the store when it is started, and commits what waits when it is stopped.

    `started` is called when it is ready to serve.
    """
    store = store_for(settings)
    recorder = Recorder(store, settings.waiting)
    feed = Feed(store, settings.streams)
    keys = KeyWatch(store, settings)
    gate = Gate(keys, limiter_for(settings.limits, store))
    door = Door(keys, settings.public_url)
    grants = Grants(store, keys, settings)
    default_types = (ActivityType.EM_CLICKS,) if settings.legacy_default_type else ()
    routes = [
        *ContactReports(store, gate, keys, default_types).routes(),
        *CampaignStats(store, gate, keys).routes(),
        *ContactRoutes(store, gate, keys).routes(),
        *EmailRoutes(store, gate, keys).routes(),
        *Accounts(gate).routes(),
        *EmailReports(store, gate, keys).routes(),
        *Track(store, recorder, gate).routes(),
        *Stream(feed, gate).routes(),
        *Health(store).routes(),
        *PublishedKeys(keys).routes(),
        *Description().routes(),
        *Pages(door, grants).routes(),
        *StaticFiles().routes(),
        *SigningIn(store, door, keys).routes(),
        *ConnectPage(store, door, grants).routes(),
        *Finding(store, door).routes(),
        *ContactPage(store, door).routes(),
        *Exporting(store, door).routes(),
        *CampaignPage(store, door).routes(),
        *AccountPage(store, door).routes(),
        *LivePart(feed, door).routes(),
    ]

    @contextlib.asynccontextmanager
    async def lifespan(service: Service) -> AsyncIterator[None]:
        metrics.forget_dead_workers()
        await store.open()
        await keys.start()
        recorder.start()
        loop = asyncio.get_running_loop()
        before_stopping(partial(loop.call_soon_threadsafe, feed.close))
        before_stopping(partial(loop.call_soon_threadsafe, service.stop_receiving))
        before_stopping(partial(loop.call_soon_threadsafe, loop.call_later, _REPORTS_STOP_AFTER, store.stop_reports))
        started()
        _log.info("ready")
        yield
        await feed.stop()
        await recorder.stop()
        await keys.stop()
        await store.close()
        _log.info("stopped")

    return Service(routes, ErrorPages(door), lifespan)
