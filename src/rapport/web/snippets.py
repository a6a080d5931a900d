"""Code examples that request a contact's activities from this server.

They read the token from the environment variable TOKEN.
"""

from typing import Final, NamedTuple
from urllib.parse import quote

from rapport.url_paths import quote_id

PLACEHOLDER_CONTACT_ID: Final = "CONTACT_ID"
"""Stands for a contact's id if no contact is known."""

_QUERY: Final = "tracking_activities_list=em_sends,em_opens,em_clicks"


class Snippet(NamedTuple):
    """A code example in one language. Links and buttons refer to its name."""

    name: str
    title: str
    note: str
    code: str


_CURL: Final = Snippet(
    "curl",
    "curl",
    "",
    """\
curl -s -H "Authorization: Bearer $TOKEN" \\
  '@URL@/v3/reports/contact_reports/@CONTACT@/activity_details?@QUERY@'
""",
)

_PYTHON: Final = Snippet(
    "python",
    "Python, with Constant Contact's SDK",
    "pip install constant-contact-api-client",
    """\
from os import environ

import constant_contact_api_client as sdk

configuration = sdk.Configuration(host="@URL@/v3", access_token=environ["TOKEN"])
with sdk.ApiClient(configuration) as client:
    page = sdk.ContactsReportingApi(client).get_contact_tracking_report(
        "@CONTACT@", tracking_activities_list=["em_sends", "em_opens", "em_clicks"]
    )
for activity in page.tracking_activities:
    print(activity.created_time, activity.tracking_activity_type)
""",
)

_PHP_SDK: Final = Snippet(
    "php-sdk",
    "PHP, with Constant Contact's SDK",
    "composer require constantcontactpublicapi/constant-contact-v3api-client-php",
    """\
<?php
require 'vendor/autoload.php';

$configuration = (new ConstantContactApi\\Client\\Configuration())
    ->setHost('@URL@/v3')
    ->setAccessToken(getenv('TOKEN'));
$reports = new ConstantContactApi\\Client\\Api\\ContactsReportingApi(new GuzzleHttp\\Client(), $configuration);
$page = $reports->getContactTrackingReport('@CONTACT@', ['em_sends', 'em_opens', 'em_clicks']);
foreach ($page->getTrackingActivities() as $activity) {
    echo $activity->getCreatedTime()->format(DATE_ATOM), ' ', $activity->getTrackingActivityType(), "\\n";
}
""",
)

_PHP: Final = Snippet(
    "php",
    "PHP, with its cURL extension",
    "",
    """\
<?php
$request = curl_init('@URL@/v3/reports/contact_reports/@CONTACT@/activity_details?@QUERY@');
curl_setopt_array($request, [
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_HTTPHEADER => ['Authorization: Bearer ' . getenv('TOKEN')],
]);
$page = json_decode(curl_exec($request), flags: JSON_THROW_ON_ERROR);
foreach ($page->tracking_activities as $activity) {
    echo "$activity->created_time $activity->tracking_activity_type\\n";
}
""",
)

_JAVA: Final = Snippet(
    "java",
    "Java 11 or newer",
    "Constant Contact has no SDK of its v3 API for Java.",
    """\
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;

public class ActivityDetails {
    public static void main(String[] arguments) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create("@URL@"
                        + "/v3/reports/contact_reports/@CONTACT@/activity_details"
                        + "?@QUERY@"))
                .header("Authorization", "Bearer " + System.getenv("TOKEN"))
                .build();
        System.out.println(HttpClient.newHttpClient().send(request, BodyHandlers.ofString()).body());
    }
}
""",
)

_CSHARP_SDK: Final = Snippet(
    "csharp-sdk",
    "C#, with Constant Contact's SDK",
    "dotnet add package ConstantContactApi; it reads only ids that are UUIDs",
    """\
using System;
using System.Collections.Generic;
using ConstantContactApi.Api;
using ConstantContactApi.Client;

var configuration = new Configuration
{
    BasePath = "@URL@/v3",
    AccessToken = Environment.GetEnvironmentVariable("TOKEN"),
};
var page = new ContactsReportingApi(configuration).GetContactTrackingReport(
    "@CONTACT@", trackingActivitiesList: new List<string> { "em_sends", "em_opens", "em_clicks" });
foreach (var activity in page.TrackingActivities)
{
    Console.WriteLine(activity.CreatedTime + " " + activity.TrackingActivityType);
}
""",
)

_CSHARP: Final = Snippet(
    "csharp",
    "C#, with .NET 6 or newer",
    "",
    """\
using System;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;

using var client = new HttpClient { BaseAddress = new Uri("@URL@") };
client.DefaultRequestHeaders.Authorization =
    new AuthenticationHeaderValue("Bearer", Environment.GetEnvironmentVariable("TOKEN"));
var page = await client.GetFromJsonAsync<JsonElement>(
    "/v3/reports/contact_reports/@CONTACT@/activity_details?@QUERY@");
foreach (var activity in page.GetProperty("tracking_activities").EnumerateArray())
{
    Console.WriteLine(activity.GetProperty("created_time") + " " + activity.GetProperty("tracking_activity_type"));
}
""",
)

_TEMPLATES: Final = (_CURL, _PYTHON, _PHP_SDK, _PHP, _JAVA, _CSHARP_SDK, _CSHARP)


def build_snippets(url: str, contact_id: str = PLACEHOLDER_CONTACT_ID) -> list[Snippet]:
    """Return the code examples for the server at this URL."""
    safe = {"@URL@": quote_url(url), "@CONTACT@": quote_id(contact_id), "@QUERY@": _QUERY}
    return [snippet._replace(code=_fill(snippet.code, safe)) for snippet in _TEMPLATES]


def quote_url(url: str) -> str:
    """Return the URL without characters that could end a string literal, because clients control the Host header."""
    return quote(url, safe=":/[]")


def _fill(code: str, values: dict[str, str]) -> str:
    for mark, value in values.items():
        code = code.replace(mark, value)
    return code
