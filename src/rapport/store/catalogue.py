"""What is stated of contacts and campaigns, with the times of the statements, and which of two holds. Pure.

The same for every engine. Facts are kept as JSON, field by field: `{"subject": ["Spring is here", 1774000000000]}`.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import replace

from rapport.activity import ContactProfile
from rapport.catalogue import (
    CampaignActivityUpdate,
    CampaignRole,
    CampaignStatus,
    CampaignUpdate,
    ContactUpdate,
    OptOut,
    PermissionToSend,
)
from rapport.instant import HOUR, Instant
from rapport.store.batch import Batch, CampaignActivityRef, LinkRef, TimestampedValue
from rapport.store.facts import Attributes, Value
from rapport.store.permission import PERMISSION_FACTS, get_undated, list_permissions, take_permission

OF_PERSON: Final = ("email_address", "first_name", "last_name")
"""Fields of a contact that activities state as well."""

_OF_CAMPAIGN_ACTIVITY: Final = ("role", "subject", "preheader", "from_name", "from_email", "reply_to_email")

_DECODER: Final = msgspec.json.Decoder(Attributes)


def load_attributes(stored: str | bytes | None) -> Attributes:
    """The facts that a store holds."""
    return {} if stored is None else _DECODER.decode(stored)


def dump_attributes(facts: Attributes) -> str:
    """The facts as a store holds them."""
    return msgspec.json.encode(facts).decode()


def take(facts: Attributes, said: Mapping[str, Value], time: int) -> bool:
    """Take over what holds of a statement: the later, of two with the same time this one. Whether anything changed.

    Saying the same again within an hour changes nothing, as for what activities state.
    """
    taken = {field: (value, time) for field, value in said.items() if _holds(value, time, facts.get(field))}
    facts.update(taken)
    return bool(taken)


def _holds(value: Value, time: int, known: tuple[Value, int] | None) -> bool:
    if known is None:
        return True
    known_value, known_time = known
    return time > known_time + HOUR if value == known_value else time >= known_time


def get_value(facts: Attributes, field: str) -> Value:
    """What holds of a field; None where it was never stated."""
    return facts[field][0] if field in facts else None


def get_text(facts: Attributes, field: str) -> str | None:
    """The same, of a text."""
    value = get_value(facts, field)
    return None if value is None else str(value)


def get_number(facts: Attributes, field: str) -> int | None:
    """The same, of a number."""
    value = get_value(facts, field)
    return None if value is None else int(value)


def updated_at(facts: Attributes) -> int | None:
    """When the last statement was made."""
    return max((time for _, time in facts.values()), default=None)


def contact_attributes(statement: ContactUpdate) -> dict[str, Value]:
    """What a statement says, field by field, beside the permission; of `deleted_at` it always says something."""
    person = statement.person
    said: dict[str, Value] = {
        "email_address": person.email_address,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "created_at": statement.created_at,
    }
    return {**_without_none(said), "deleted_at": statement.deleted_at}


def take_contact(facts: Attributes, statement: ContactUpdate) -> bool:
    """Merge the statement into the facts of its contact. Return True if that changed them."""
    is_changed = take(facts, contact_attributes(statement), statement.updated_at)
    return take_permission(facts, statement) or is_changed


def campaign_attributes(statement: CampaignUpdate) -> dict[str, Value]:
    """What a statement says of the campaign itself, field by field; at least that there is one."""
    status = statement.current_status
    return _without_none(
        {
            "campaign_id": statement.campaign_id,
            "campaign_name": statement.campaign_name,
            "type": statement.type,
            "type_code": statement.type_code,
            "current_status": None if status is None else status.value,
            "created_at": statement.created_at,
        }
    )


def campaign_activity_attributes(statement: CampaignActivityUpdate) -> dict[str, Value]:
    """What a statement says of a campaign activity, beside its name."""
    said: dict[str, Value] = {field: getattr(statement, field) for field in _OF_CAMPAIGN_ACTIVITY}
    if statement.role is not None:
        said["role"] = statement.role.value
    return _without_none(said)


def _without_none(said: dict[str, Value]) -> dict[str, Value]:
    return {field: value for field, value in said.items() if value is not None}


def named_in(account_id: str, statements: Iterable[CampaignUpdate]) -> Batch:
    """The campaign activities and links of the statements as a batch without activities, that has them come to be."""
    named: list[CampaignActivityRef] = []
    links: list[LinkRef] = []
    for campaign in statements:
        time = campaign.updated_at
        for activity in campaign.campaign_activities:
            name = activity.campaign_activity_name
            links += [LinkRef(len(named), link.link_url, link.url_id) for link in activity.links]
            stated = None if name is None else TimestampedValue(name, time)
            named.append(
                CampaignActivityRef(activity.campaign_activity_id, stated, TimestampedValue(campaign.campaign_id, time))
            )
    return Batch(account_id=account_id, size=0, contacts=[], said=[], campaign_activities=named, links=links, rows={})


class ContactAttributes(NamedTuple):
    """A contact of which a source has stated something, and those facts."""

    contact_id: str
    facts: Attributes


class CampaignAttributes(NamedTuple):
    """A campaign, the facts about it, and those about each of its campaign activities, by their ids."""

    campaign_id: str
    facts: Attributes
    campaign_activities: Mapping[str, Attributes]


def campaigns_from_rows(rows: Iterable[tuple[str, str | None, str | None, str | None]]) -> list[CampaignAttributes]:
    """From rows by campaign: its id, its facts, the id of a campaign activity, and that one's facts."""
    found: dict[str, tuple[Attributes, dict[str, Attributes]]] = {}
    for campaign_id, facts, campaign_activity_id, of_activity in rows:
        if campaign_id not in found:
            found[campaign_id] = load_attributes(facts), {}
        if campaign_activity_id is not None:
            found[campaign_id][1][campaign_activity_id] = load_attributes(of_activity)
    return [CampaignAttributes(campaign_id, *both) for campaign_id, both in found.items()]


def contact_updates(stored: ContactAttributes) -> Iterator[ContactUpdate]:
    """Statements that make the same facts in a store that has none yet, or fewer."""
    facts = stored.facts
    said_at = dict(_by_time({field: fact for field, fact in facts.items() if field not in PERMISSION_FACTS}))
    permissions = list_permissions(facts)
    for time in sorted({*said_at, *(permission.time for permission, _ in permissions)}):
        said = said_at.get(time, {})
        of_time = [each for each in permissions if each[0].time == time]
        permission, opt_out = of_time[0] if of_time else (None, None)
        yield _contact_statement(stored, time, said, None if permission is None else permission.value, opt_out)
        for permission, opt_out in of_time[1:]:
            yield _contact_statement(stored, time, {}, permission.value, opt_out)
    undated = get_undated(facts)
    if undated is not None:
        yield replace(_contact_statement(stored, undated.time, {}, undated.value, None), is_dated=False)


def _contact_statement(
    stored: ContactAttributes,
    time: int,
    said: Mapping[str, Value],
    permission: PermissionToSend | None,
    opt_out: OptOut | None,
) -> ContactUpdate:
    return ContactUpdate(
        contact_id=stored.contact_id,
        updated_at=Instant(time),
        is_dated=True,
        person=ContactProfile(**{field: str(said[field]) for field in OF_PERSON if field in said}),
        permission_to_send=permission,
        created_at=_instant(said.get("created_at")),
        deleted_at=_instant(get_number(stored.facts, "deleted_at")),
        opt_out_date=None if opt_out is None else Instant(opt_out.date),
        opt_out_source=None if opt_out is None else opt_out.source,
        opt_out_reason=None if opt_out is None else opt_out.reason,
    )


def campaign_updates(stored: CampaignAttributes) -> Iterator[CampaignUpdate]:
    """The same for a campaign."""
    for time, said in _by_time(stored.facts):
        status, code = said.get("current_status"), said.get("type_code")
        yield CampaignUpdate(
            campaign_id=stored.campaign_id,
            updated_at=Instant(time),
            campaign_name=_text(said.get("campaign_name")),
            type=_text(said.get("type")),
            type_code=None if code is None else int(code),
            current_status=None if status is None else CampaignStatus(status),
            created_at=_instant(said.get("created_at")),
        )
    for campaign_activity_id, facts in stored.campaign_activities.items():
        for time, said in _by_time(facts):
            role = said.get("role")
            activity = CampaignActivityUpdate(
                campaign_activity_id=campaign_activity_id,
                role=None if role is None else CampaignRole(role),
                subject=_text(said.get("subject")),
                preheader=_text(said.get("preheader")),
                from_name=_text(said.get("from_name")),
                from_email=_text(said.get("from_email")),
                reply_to_email=_text(said.get("reply_to_email")),
            )
            yield CampaignUpdate(
                campaign_id=stored.campaign_id, updated_at=Instant(time), campaign_activities=(activity,)
            )


def _by_time(facts: Attributes) -> Sequence[tuple[int, dict[str, Value]]]:
    """What was said at each time, earliest first."""
    said: defaultdict[int, dict[str, Value]] = defaultdict(dict)
    for field, (value, time) in facts.items():
        said[time][field] = value
    return sorted(said.items())


def _text(value: Value) -> str | None:
    return None if value is None else str(value)


def _instant(value: Value) -> Instant | None:
    return None if value is None else Instant(int(value))
