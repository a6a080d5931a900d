"""Preview what would be recorded for a request, without recording it."""

import json
from collections.abc import Mapping

from rapport.activity import TYPE_NAMES
from rapport.capture.captured import CapturedRequest, read_request
from rapport.capture.event import Event
from rapport.instant import Instant, iso
from rapport.recording.hook_registry import ActiveHook
from rapport.recording.matching import Matched, Matcher
from rapport.store.store import Store


async def preview_request(
    store: Store, active: ActiveHook, body: bytes, headers: Mapping[str, str], received_time: Instant
) -> tuple[list[str], bool]:
    """Return a line about each event of a request, and True if all of them would be recorded."""
    request = CapturedRequest(
        account_id=active.hook.account_id,
        hook_id=active.hook.hook_id,
        provider=active.provider.name,
        received_time=received_time,
        headers=dict(headers),
        body=body,
    )
    items = read_request(active.provider, request, active.hook.settings)
    events = [event for item in items for event in item.events]
    matched = await Matcher(store).match(active.hook.account_id, [(active.hook, event) for event in events])
    lines = [f"Unreadable: {item.error}." for item in items if item.error is not None]
    lines += [_describe(event, result) for event, result in zip(events, matched, strict=True)]
    is_recorded = all(item.error is None for item in items) and all(result.unmatched is None for result in matched)
    return lines if events else [*lines, "No events."], is_recorded


def _describe(event: Event, result: Matched) -> str:
    if result.unmatched is not None:
        return f"{event.name}: {result.unmatched.reason}: {result.unmatched.detail}."
    activity = result.activity
    if activity is None:
        return f"{event.name}: nothing to record."
    fields = {
        "contact_id": activity.contact_id,
        "campaign_activity_id": activity.campaign_activity_id,
        "tracking_activity_type": TYPE_NAMES[activity.type],
        "created_time": iso(activity.created_time),
        "event_id": activity.event_id,
        "email_address": event.recipient,
        "link_url": event.link_url,
        "bounce_code": None if event.bounce_code is None else event.bounce_code.name,
        "opt_out_reason": event.opt_out_reason,
    }
    shown = {name: value for name, value in fields.items() if value is not None}
    return f"{event.name}: {json.dumps(shown, ensure_ascii=False)}"
