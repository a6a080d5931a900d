"""Create, update and delete contacts, and sign them up with a form."""

import time
import uuid
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from rapport.api import examples
from rapport.api.endpoint import Access, Json, JsonBody, Resource, Returns, endpoint
from rapport.api.json_body import read_json
from rapport.api.responses import Id, encode_response
from rapport.api.v3.contact_bodies import ContactPost, ContactPut, SignUp, build_post, build_put, build_sign_up
from rapport.api.v3.contact_resource import Contact, build_contact
from rapport.api.v3.contacts import CONTACT_ID, CONTACTS
from rapport.auth.scope import Privilege, Scope
from rapport.auth.token import Principal
from rapport.catalog import ContactUpdate
from rapport.errors import (
    AddressConflict,
    BodyTimeout,
    InvalidField,
    MalformedBody,
    PayloadTooLarge,
    UnknownContact,
    UnsupportedMediaType,
)
from rapport.instant import Instant
from rapport.reporting.contacts import get_contact
from rapport.store.contacts import ContactRepository, UpsertOutcome
from rapport.store.definitions import DefinitionRepository
from rapport.store.subresources import ID_SETS, time_references

_WRITE: Final = Access(Scope.CONTACT_DATA, Privilege.CONTACTS_WRITE)
_BODY_ERRORS: Final = (InvalidField, MalformedBody, BodyTimeout, PayloadTooLarge, UnsupportedMediaType)
_TAG: Final = "Contacts"
_RETURNED: Final = ("custom_fields", "list_memberships", "notes", "phone_numbers", "street_addresses", "taggings")

_FIELDS: Final = {"list_memberships": "list", "taggings": "tag"}

_EXAMPLE_BODY: Final[Json] = {
    "email_address": {"address": "ada@example.com", "permission_to_send": "implicit"},
    "first_name": "Ada",
    "last_name": "Lovelace",
    "phone_numbers": [{"phone_number": "555-1212", "kind": "home"}],
}
_EXAMPLE: Final[Json] = {
    "contact_id": examples.CONTACT_ID,
    "email_address": {"address": "ada@example.com", "permission_to_send": "implicit"},
    "first_name": "Ada",
    "last_name": "Lovelace",
    "created_at": "2026-01-05T09:30:00Z",
    "updated_at": "2026-01-05T09:30:00Z",
}


class SignedUp(msgspec.Struct):
    """The contact that signed up, and whether it was created or updated."""

    contact_id: Id
    action: str


class ContactWrites(Resource):
    """The endpoints that write contacts."""

    def __init__(self, repository: ContactRepository, definitions: DefinitionRepository) -> None:
        self._repository = repository
        self._definitions = definitions

    @endpoint(
        "POST",
        CONTACTS,
        operation_id="createContact",
        tag=_TAG,
        summary="Create a contact",
        description="Creates a contact with a new id. Lists, tags and custom fields must exist. The permission to send "
        "is that of the body, or else `implicit` if the account adds the contact, and `explicit` if it is the contact.",
        access=_WRITE,
        body=JsonBody(schema=ContactPost, example={**_EXAMPLE_BODY, "create_source": "Account"}),
        returns=Returns(description="The contact was created.", schema=Contact, example=_EXAMPLE, status=201),
        errors=(*_BODY_ERRORS, AddressConflict),
    )
    async def create_contact(self, request: Request, principal: Principal) -> Response:
        update = build_post(await read_json(request, ContactPost), str(uuid.uuid4()), _now())
        await self._save(principal.account_id, update)
        return await self._contact_response(principal.account_id, update.contact_id, 201)

    @endpoint(
        "POST",
        f"{CONTACTS}/sign_up_form",
        operation_id="createOrUpdateContact",
        tag=_TAG,
        summary="Sign a contact up",
        description="Creates a contact, or updates the one with the same email address: only the fields in the body "
        "change, lists and custom fields are added, and its permission becomes `explicit`, or `implicit` if the "
        "`source` is `Account`. A deleted contact is restored.",
        access=_WRITE,
        body=JsonBody(
            schema=SignUp,
            example={"email_address": "ada@example.com", "list_memberships": [examples.LIST_ID], "first_name": "Ada"},
        ),
        returns=Returns(
            description="The contact was updated (200) or created (201).",
            schema=SignedUp,
            example={"contact_id": examples.CONTACT_ID, "action": "created"},
            other_status=201,
        ),
        errors=_BODY_ERRORS,
    )
    async def sign_up(self, request: Request, principal: Principal) -> Response:
        update = build_sign_up(await read_json(request, SignUp), str(uuid.uuid4()), _now())
        await self._check_references(principal.account_id, update)
        saved = await self._repository.upsert_unique(principal.account_id, update, into_owner=True)
        status = 201 if saved.outcome is UpsertOutcome.CREATED else 200
        return encode_response(SignedUp(saved.contact_id, saved.outcome.value), status)

    @endpoint(
        "PUT",
        f"{CONTACTS}/{{contact_id}}",
        operation_id="putContact",
        tag=_TAG,
        summary="Update a contact",
        description="Replaces the contact's names, titles and dates: those left out are removed. The email address and "
        "each of the subresources change only if the body has them, and custom fields one by one. A deleted contact is "
        "restored.",
        access=_WRITE,
        params=(CONTACT_ID,),
        body=JsonBody(schema=ContactPut, example={**_EXAMPLE_BODY, "update_source": "Account"}),
        returns=Returns(description="The contact was updated.", schema=Contact, example=_EXAMPLE),
        errors=(*_BODY_ERRORS, UnknownContact, AddressConflict),
    )
    async def update_contact(self, request: Request, principal: Principal) -> Response:
        contact_id = CONTACT_ID.get(request)
        update = build_put(await read_json(request, ContactPut), contact_id, _now())
        await get_contact(self._repository, principal.account_id, contact_id)
        await self._save(principal.account_id, update)
        return await self._contact_response(principal.account_id, contact_id, 200)

    @endpoint(
        "DELETE",
        f"{CONTACTS}/{{contact_id}}",
        operation_id="deleteContact",
        tag=_TAG,
        summary="Delete a contact",
        description="Marks the contact as deleted. It keeps its history and can be restored; `DELETE "
        "/track/v1/contacts/{contact_id}` erases it.",
        access=_WRITE,
        params=(CONTACT_ID,),
        returns=Returns(description="The contact was deleted.", status=204),
        errors=(UnknownContact,),
    )
    async def delete_contact(self, request: Request, principal: Principal) -> Response:
        contact_id = CONTACT_ID.get(request)
        record = await get_contact(self._repository, principal.account_id, contact_id)
        if record.deleted_at is None:
            now = _now()
            update = ContactUpdate(contact_id=contact_id, updated_at=now, is_dated=True, deleted_at=now)
            await self._repository.upsert(principal.account_id, [update])
        return Response(status_code=204)

    async def _save(self, account_id: str, update: ContactUpdate) -> None:
        """Save an update. Raises InvalidField and AddressConflict."""
        await self._check_references(account_id, update)
        saved = await self._repository.upsert_unique(account_id, update, into_owner=False)
        if saved.outcome is UpsertOutcome.CONFLICT:
            raise AddressConflict(saved.contact_id)

    async def _check_references(self, account_id: str, update: ContactUpdate) -> None:
        """Check that the lists, tags and custom fields exist. Raises InvalidField."""
        missing = await self._definitions.find_missing(account_id, time_references([update]))
        for definition_type, definition_id in missing:
            fields: dict[Any, str] = {number: field for field, number in ID_SETS.items()}
            field = fields.get(definition_type, "custom_fields")
            raise InvalidField(field, definition_id, f"{definition_id} is not a {_FIELDS.get(field, 'custom field')}")

    async def _contact_response(self, account_id: str, contact_id: str, status: int) -> Response:
        record = await get_contact(self._repository, account_id, contact_id)
        attributes = (await self._repository.get_attributes_of(account_id, [contact_id])).get(contact_id, {})
        return encode_response(build_contact(record, attributes, _RETURNED), status)


def _now() -> Instant:
    return Instant(time.time_ns() // 1_000_000)
