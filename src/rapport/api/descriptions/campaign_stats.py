"""The operations of the reports on campaigns as a whole."""

from typing import Any, Final

from rapport.api.descriptions.parts import (
    AUTHORISED,
    NEXT_PARAMETER,
    Json,
    answer,
    limit_parameter,
    problems,
    schema,
    time_parameter,
)
from rapport.api.v3.campaign_stats import (
    CAMPAIGN_ACTIVITY_STATS,
    CAMPAIGN_STATS,
    CAMPAIGN_SUMMARIES,
    MOST_CAMPAIGN_ACTIVITIES,
    MOST_CAMPAIGNS,
    MOST_SUMMARIES,
    SUMMARIES,
)
from rapport.api.wire_stats import example_stats
from rapport.auth.scope import Privilege, Scope
from rapport.errors import InvalidField, RapportError, StoreUnavailable, UnknownCampaign, UnknownCampaignActivity


def _ids(name: str, most: int, example: str) -> Json:
    return {
        "name": name,
        "in": "path",
        "description": f"Up to {most} ids, joined by commas.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}(,[A-Za-z0-9_-]{1,64})*$"},
        "example": example,
    }


def _operation(operation: str, summary: str, description: str, shown: Json, *failures: type[RapportError]) -> Json:
    return {
        "tags": ["Email Reporting"],
        "operationId": operation,
        "summary": summary,
        "description": description,
        "responses": {"200": shown, **problems(InvalidField, *AUTHORISED, *failures, StoreUnavailable)},
        "security": [{"token": [Scope.CAMPAIGN_DATA.value]}],
        "x-authorization-privileges": [Privilege.REPORTS.value],
    }


_EXAMPLE_SUMMARIES: Final[dict[str, Any]] = {
    "bulk_email_campaign_summaries": [
        {
            "campaign_id": "spring",
            "last_sent_date": "2017-04-02T04:08:00.000Z",
            "unique_counts": {
                "sends": 100,
                "opens": 40,
                "clicks": 10,
                "forwards": 1,
                "optouts": 2,
                "abuse": 0,
                "bounces": 4,
                "not_opened": 56,
            },
        }
    ],
    "aggregate_percents": {"click": 25.0, "open": 41.7, "did_not_open": 58.3, "bounce": 4.0, "unsubscribe": 2.1},
    "_links": {},
}

_COUNTED: Final = (
    "Counts are of contacts, but for those with `all`, which are of activities; each has a name with underscores and, "
    "where the vendor's guide has dots, one with dots."
)

OPERATIONS: Final[Json] = {
    CAMPAIGN_STATS.replace(":path", ""): {
        "get": {
            "parameters": [_ids("campaign_ids", MOST_CAMPAIGNS, "spring,summer")],
            **_operation(
                "getEmailSummary",
                "How did these campaigns do?",
                f"{_COUNTED} A contact counts once for each campaign activity. One unknown id fails the whole request.",
                answer("The numbers.", schema("StatsPage"), example_stats(of_campaigns=True)),
                UnknownCampaign,
            ),
        }
    },
    CAMPAIGN_ACTIVITY_STATS.replace(":path", ""): {
        "get": {
            "parameters": [_ids("campaign_activity_ids", MOST_CAMPAIGN_ACTIVITIES, "spring-1,spring-2")],
            **_operation(
                "getEmailCampaignActivitySummary",
                "How did these campaign activities do?",
                f"{_COUNTED} Ids of which there is nothing are told in `errors`.",
                answer("The numbers.", schema("StatsPage"), example_stats(of_campaigns=False)),
                UnknownCampaignActivity,
            ),
        }
    },
    CAMPAIGN_SUMMARIES: {
        "get": {
            "parameters": [
                limit_parameter(MOST_SUMMARIES, "^([1-9][0-9]?|[1-4][0-9][0-9]|500)$", SUMMARIES),
                time_parameter("created_after", "Only campaigns that were last sent then or later."),
                time_parameter("created_before", "Only campaigns that were last sent then or earlier."),
                NEXT_PARAMETER,
            ],
            **_operation(
                "getAllBulkEmailCampaignSummaries",
                "Which campaigns were sent, and how did they do?",
                "The campaigns that were sent, that which was sent last first. The percents are of the page.",
                answer("A page.", schema("BulkEmailCampaignSummariesPage"), _EXAMPLE_SUMMARIES),
            ),
        }
    },
}
