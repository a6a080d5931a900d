"""Rows written out as COPY takes them in its binary form: at a third of what it costs cell by cell, and ahead of time.

All else that is sent is left to asyncpg.
"""

from collections.abc import Iterable
from functools import lru_cache
from struct import Struct
from typing import Final, TypeAlias

from rapport.store.postgres.pool import EPOCH_2000
from rapport.store.rollups import EngagementRow

ActivityValues: TypeAlias = tuple[
    int, int, int, int | None, int | None, int, int | None, int | None, bytes, str | None, str | None
]
"""An activity as it is written: the values of its columns."""

ACTIVITY: Final = (
    *("created_time", "identity", "campaign_activity", "person", "link", "type", "device_type", "bounce_code"),
    *("contact", "opt_out_reason", "event_id"),
)
"""The columns of an activity."""

ENGAGEMENT: Final = ("campaign_activity", "type", "contact", "activities", "last_time")
"""The columns of an engagement."""

_BEGIN: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END: Final = b"\xff\xff"
_NULL: Final = b"\xff\xff\xff\xff"

# Each value stands behind its length, the columns of a row behind their number; a contact has 16 bytes.
_pack_beginning: Final = Struct(">hiqiqiq").pack
_pack_bigint: Final = Struct(">iq").pack
_pack_smallint: Final = Struct(">ih").pack
_pack_length: Final = Struct(">i").pack
# Most rows are of one of two kinds, which are packed at once: without any detail, and with a link and a device. What
# stands between their values is always the same: the number of columns, lengths, and the lengths of NULLs.
_pack_plain: Final = Struct(">6sq4sq4sq4sq8sh12s16s8s").pack
_pack_clicked: Final = Struct(">6sq4sq4sq4sq4sq4sh4sh8s16s8s").pack
_BEFORE_TIME: Final = _pack_length(11)[2:] + _pack_length(8)
_BEFORE_BIGINT: Final = _pack_length(8)
_BEFORE_SMALLINT: Final = _pack_length(2)
_BEFORE_CONTACT: Final = _pack_length(16)
_NULL_AND_SMALLINT: Final = _NULL + _BEFORE_SMALLINT
_NULL_AND_CONTACT: Final = _NULL + _BEFORE_CONTACT
_TWO_NULLS: Final = _NULL * 2
_TWO_NULLS_AND_CONTACT: Final = _TWO_NULLS + _BEFORE_CONTACT
_engagement: Final = Struct(">6sq4sh4s16s4sq4sq")
_BEFORE_ENGAGEMENT: Final = _pack_length(5)[2:] + _pack_length(8)
_pack_engagement: Final = _engagement.pack
_ENGAGEMENT_SIZE: Final = _engagement.size


def activities(rows: Iterable[ActivityValues]) -> bytes:
    """Rows of tracking_activity."""
    return _whole(map(_activity, rows))


def _activity(row: ActivityValues) -> bytes:
    time, identity, campaign_activity, person, link, activity_type, device, bounce, contact, reason, event = row
    microseconds = (time - EPOCH_2000) * 1_000
    if person is not None and event is None and bounce is None and reason is None:
        if link is None and device is None:
            return _pack_plain(
                _BEFORE_TIME,
                microseconds,
                _BEFORE_BIGINT,
                identity,
                _BEFORE_BIGINT,
                campaign_activity,
                _BEFORE_BIGINT,
                person,
                _NULL_AND_SMALLINT,
                activity_type,
                _TWO_NULLS_AND_CONTACT,
                contact,
                _TWO_NULLS,
            )
        if link is not None and device is not None:
            return _pack_clicked(
                _BEFORE_TIME,
                microseconds,
                _BEFORE_BIGINT,
                identity,
                _BEFORE_BIGINT,
                campaign_activity,
                _BEFORE_BIGINT,
                person,
                _BEFORE_BIGINT,
                link,
                _BEFORE_SMALLINT,
                activity_type,
                _BEFORE_SMALLINT,
                device,
                _NULL_AND_CONTACT,
                contact,
                _TWO_NULLS,
            )
    return b"%b%b%b%b\0\0\0\x10%b%b%b" % (
        _pack_beginning(11, 8, microseconds, 8, identity, 8, campaign_activity),
        _NULL if person is None else _pack_bigint(8, person),
        _NULL if link is None else _pack_bigint(8, link),
        _smallints(activity_type, device, bounce),
        contact,
        _NULL if reason is None else _text(reason),
        _NULL if event is None else _text(event),
    )


def engagement(rows: Iterable[EngagementRow[bytes]]) -> bytes:
    """Rows of engagement."""
    return _whole(
        _pack_engagement(
            _BEFORE_ENGAGEMENT,
            campaign_activity,
            _BEFORE_SMALLINT,
            activity_type,
            _BEFORE_CONTACT,
            contact,
            _BEFORE_BIGINT,
            total,
            _BEFORE_BIGINT,
            (last_time - EPOCH_2000) * 1_000,
        )
        for campaign_activity, activity_type, contact, total, last_time in rows
    )


def without(rows: bytes, places: Iterable[int]) -> bytes:
    """Return rows of engagement, as `engagement` gives them, without those at some places, which are in order."""
    kept, start = [_BEGIN], len(_BEGIN)
    for place in places:
        end = len(_BEGIN) + place * _ENGAGEMENT_SIZE
        kept.append(rows[start:end])
        start = end + _ENGAGEMENT_SIZE
    return b"".join((*kept, rows[start:]))


def _whole(rows: Iterable[bytes]) -> bytes:
    return b"".join((_BEGIN, *rows, _END))


@lru_cache
def _smallints(*values: int | None) -> bytes:
    return b"".join(_NULL if value is None else _pack_smallint(2, value) for value in values)


def _text(value: str) -> bytes:
    encoded = value.encode()
    return _pack_length(len(encoded)) + encoded
