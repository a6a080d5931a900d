"""The same endpoint on the same database, written in FastAPI, pydantic, SQLAlchemy and an async driver.

BENCH_DATABASE is the database's URL for SQLAlchemy, BENCH_KEY the key that signs tokens, as a JWK. The token is
verified on every request, rows become objects, objects become models, and models become JSON.
"""

import json
import os
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import Depends, FastAPI, Header, HTTPException, Query
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from pydantic import BaseModel, Field
from sqlalchemy import DateTime, ForeignKey, Integer, LargeBinary, select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, joinedload, mapped_column, relationship

from rapport.activity import TYPE_NAMES, TYPES

_KEY: Final = RSAKey.import_key(json.loads(os.environ["BENCH_KEY"]))
_URL: Final = os.environ["BENCH_DATABASE"]
_ON_POSTGRESQL: Final = _URL.startswith("postgresql")

# The schemas of the two engines differ in the types of contact keys and times.
_ContactKey: Final = LargeBinary if _ON_POSTGRESQL else Integer
_Time: Final = DateTime(timezone=True) if _ON_POSTGRESQL else Integer

engine = create_async_engine(_URL)
sessions = async_sessionmaker(engine)
application = FastAPI()


class Table(DeclarativeBase):
    """Base class of the tables."""


class Contact(Table):
    """A contact."""

    __tablename__ = "contact"
    key: Mapped[Any] = mapped_column(_ContactKey, primary_key=True)
    account: Mapped[int]
    contact_id: Mapped[str]


class CampaignActivity(Table):
    """A campaign activity."""

    __tablename__ = "campaign_activity"
    key: Mapped[int] = mapped_column(primary_key=True)
    campaign_activity_id: Mapped[str]
    campaign_activity_name: Mapped[str | None]


class TrackingActivity(Table):
    """An activity of a contact with a campaign activity."""

    __tablename__ = "tracking_activity"
    contact: Mapped[Any] = mapped_column(_ContactKey, primary_key=True)
    type: Mapped[int] = mapped_column(primary_key=True)
    created_time: Mapped[Any] = mapped_column(_Time, primary_key=True)
    identity: Mapped[int] = mapped_column(primary_key=True)
    campaign_activity: Mapped[int] = mapped_column(ForeignKey("campaign_activity.key"))
    campaign: Mapped[CampaignActivity] = relationship()


class Item(BaseModel):
    """An item of a page."""

    contact_id: str
    campaign_activity_id: str
    campaign_activity_name: str | None
    created_time: datetime
    tracking_activity_type: str
    tracking_activities_list: str


class Page(BaseModel):
    """A page of activities."""

    tracking_activities: list[Item]
    links: dict[str, Any] = Field(serialization_alias="_links")


def account(authorization: Annotated[str, Header()]) -> str:
    """Return the account of the token."""
    try:
        claims = jwt.decode(authorization.removeprefix("Bearer "), _KEY, algorithms=["RS256"]).claims
    except JoseError:
        raise HTTPException(401) from None
    return str(claims["account"])


@application.get("/v3/reports/contact_reports/{contact_id}/activity_details")
async def activity_details(
    contact_id: str,
    _account: Annotated[str, Depends(account)],
    tracking_activity_type: Annotated[list[str], Query()],
    limit: Annotated[int, Query(ge=1, le=100)] = 100,
    offset: int = 0,
) -> Page:
    """Return a page of the contact's activities."""
    async with sessions() as session:
        contact = await session.scalar(select(Contact).where(Contact.account == 1, Contact.contact_id == contact_id))
        if contact is None:
            raise HTTPException(404)
        result = await session.scalars(
            select(TrackingActivity)
            .where(
                TrackingActivity.contact == contact.key,
                TrackingActivity.type.in_([int(TYPES[name]) for name in tracking_activity_type]),
            )
            .options(joinedload(TrackingActivity.campaign))
            .order_by(TrackingActivity.created_time.desc(), TrackingActivity.identity.desc())
            .offset(offset)
            .limit(limit + 1)
        )
        rows = result.all()
    items = [
        Item(
            contact_id=contact_id,
            campaign_activity_id=row.campaign.campaign_activity_id,
            campaign_activity_name=row.campaign.campaign_activity_name,
            created_time=row.created_time if _ON_POSTGRESQL else datetime.fromtimestamp(row.created_time / 1000, UTC),
            tracking_activity_type=TYPE_NAMES[row.type],
            tracking_activities_list=TYPE_NAMES[row.type],
        )
        for row in rows[:limit]
    ]
    cursor = urlsafe_b64encode(f"offset={offset + limit}".encode()).decode()
    return Page(tracking_activities=items, links={"next": {"href": f"?next={cursor}"}} if len(rows) > limit else {})
