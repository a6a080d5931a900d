"""GET /v3/reports/stats/… and /v3/reports/summary_reports/…: routes only."""

import time
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rapport.activity import is_id
from rapport.api.answers import json_answer
from rapport.api.cursor import open_cursor, seal_cursor
from rapport.api.door import admit
from rapport.api.handler import get
from rapport.api.parameters import read_cursor, read_limit, read_query, read_within
from rapport.api.wire_stats import stats_body, summaries_body
from rapport.auth.gate import Gate
from rapport.auth.scope import Privilege, Scope
from rapport.auth.token import Principal
from rapport.auth.watch import KeyWatch
from rapport.errors import InvalidField, MalformedCampaignActivityId, UnknownCampaign
from rapport.instant import FIRST, LAST, Instant
from rapport.reporting.stats import SummariesRequest, campaign_activity_stats, campaign_stats, campaign_summaries
from rapport.store.known import Within
from rapport.store.protocol import Store

CAMPAIGN_STATS: Final = "/v3/reports/stats/email_campaigns/{campaign_ids:path}"
CAMPAIGN_ACTIVITY_STATS: Final = "/v3/reports/stats/email_campaign_activities/{campaign_activity_ids:path}"
CAMPAIGN_SUMMARIES: Final = "/v3/reports/summary_reports/email_campaign_summaries"

MOST_CAMPAIGNS: Final = 150
MOST_CAMPAIGN_ACTIVITIES: Final = 10
MOST_SUMMARIES: Final = 500
SUMMARIES: Final = 50
"""On a page, when the request doesn't say."""

NO_STATS: Final = "reportingsvc.not_found.invalid_path_param.campaign_activity_ids."


class CampaignStats:
    """The reports on campaigns as a whole."""

    def __init__(self, store: Store, gate: Gate, keys: KeyWatch) -> None:
        self._store = store
        self._gate = gate
        self._keys = keys

    def routes(self) -> list[Route]:
        """The routes of these reports."""
        return [
            get(CAMPAIGN_STATS, self.campaign_stats),
            get(CAMPAIGN_ACTIVITY_STATS, self.campaign_activity_stats),
            get(CAMPAIGN_SUMMARIES, self.campaign_summaries),
        ]

    async def campaign_stats(self, request: Request) -> Response:
        """The numbers of campaigns; all of them, or none."""
        principal = await self._admit(request)
        ids = _ids(request.path_params["campaign_ids"], "campaign_ids", MOST_CAMPAIGNS)
        for each in ids:
            if not is_id(each):
                raise UnknownCampaign(each[:64])
        found = await campaign_stats(self._store, principal.account_id, ids)
        return json_answer(stats_body(found, (), _now(), error_key="", of_campaigns=True))

    async def campaign_activity_stats(self, request: Request) -> Response:
        """The numbers of campaign activities; those of which there are none are named."""
        principal = await self._admit(request)
        ids = _ids(request.path_params["campaign_activity_ids"], "campaign_activity_ids", MOST_CAMPAIGN_ACTIVITIES)
        if not all(map(is_id, ids)):
            raise MalformedCampaignActivityId
        found, unknown = await campaign_activity_stats(self._store, principal.account_id, ids)
        return json_answer(stats_body(found, unknown, _now(), error_key=NO_STATS, of_campaigns=False))

    async def campaign_summaries(self, request: Request) -> Response:
        """A page of the campaigns that were sent, that which was sent last first."""
        principal = await self._admit(request)
        sealing = self._keys.keys.sealing
        query = read_query(request.scope["query_string"])
        cursor = read_cursor(query)
        if cursor is None:
            within = read_within(query, "created_after", "created_before") or Within(FIRST, LAST)
            behind = Instant(within.before + 1), ""
            wanted = SummariesRequest(read_limit(query, MOST_SUMMARIES, SUMMARIES), within.after, behind)
        else:
            wanted = open_cursor(sealing, principal.account_id, CAMPAIGN_SUMMARIES, cursor, SummariesRequest)
        page = await campaign_summaries(self._store, principal.account_id, wanted)
        href = None
        if page.next is not None:
            sealed = seal_cursor(sealing, principal.account_id, CAMPAIGN_SUMMARIES, page.next)
            href = f"{CAMPAIGN_SUMMARIES}?next={sealed}"
        return json_answer(summaries_body(page, next_href=href))

    async def _admit(self, request: Request) -> Principal:
        return await admit(self._gate, request, Scope.CAMPAIGN_DATA, Privilege.REPORTS)


def _ids(text: str, name: str, most: int) -> list[str]:
    ids = list(dict.fromkeys(filter(None, map(str.strip, text.split(",")))))
    if not 0 < len(ids) <= most:
        raise InvalidField(name, len(ids), f"must be 1 to {most} ids, joined by commas")
    return ids


def _now() -> Instant:
    return Instant(time.time_ns() // 1_000_000)
