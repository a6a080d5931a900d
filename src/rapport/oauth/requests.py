"""Parse requests of OAuth clients."""

import binascii
import re
from base64 import b64decode
from collections.abc import Iterable
from typing import Final, TypeAlias
from urllib.parse import parse_qsl, unquote_plus, urlencode

import msgspec

Params: TypeAlias = list[tuple[str, str]]

MAX_BODY_BYTES: Final = 64 * 1024

_MAX_PARAMS: Final = 50
_SCOPE_SEPARATOR: Final = re.compile(r"[\s+,]+")


class MalformedRequest(Exception):
    """A request that can't be read, with the OAuth error and its description."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description


class ClientRequest(msgspec.Struct, frozen=True):
    """A client's request: its parameters and credentials, wherever in the request they were sent."""

    params: Params
    client_id: str
    client_secret: str | None
    used_basic_auth: bool

    def get(self, name: str) -> str | None:
        """Return the value of a parameter, or None if it is missing or empty."""
        return next((value for key, value in self.params if key == name and value), None)

    @property
    def body(self) -> str:
        """The parameters as the body of a form."""
        return urlencode(self.params)


def read_client_request(query: str, body: bytes, authorization: str | None) -> ClientRequest:
    """Return a request to the token, device or revocation endpoint. Raises MalformedRequest.

    Clients send parameters in the body, the query, or both; as a form, or as JSON that is labeled as a form; and their
    credentials as Basic, or among the parameters. A repeated parameter must have the same value each time.
    """
    in_query = parse_params(query)
    if any(name == "client_secret" and value for name, value in in_query):
        raise MalformedRequest("invalid_request", "client_secret must not be sent in the query.")
    params = merge_params([*in_query, *_read_body(body)])
    values = dict(params)
    client_id, client_secret = values.get("client_id", ""), values.pop("client_secret", None) or None
    basic = _read_basic(authorization)
    if basic is not None:
        if client_id and client_id != basic[0]:
            raise MalformedRequest("invalid_client", "The credentials are for another client than client_id.")
        client_id, client_secret = basic[0], basic[1] or client_secret
    values["client_id"] = client_id
    return ClientRequest(list(values.items()), client_id, client_secret, basic is not None)


def parse_params(text: str) -> Params:
    """Return the parameters of a query or form, with scopes separated by spaces. Raises MalformedRequest."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_PARAMS)
    except ValueError:
        raise MalformedRequest("invalid_request", f"There are more than {_MAX_PARAMS} parameters.") from None
    return [(name, _normalize(name, value)) for name, value in pairs]


def merge_params(pairs: Iterable[tuple[str, str]]) -> Params:
    """Return the parameters without repeated and empty ones. Raises MalformedRequest if one has two values."""
    values: dict[str, str] = {}
    for name, value in pairs:
        if value and values.setdefault(name, value) != value:
            raise MalformedRequest("invalid_request", f"Duplicate {name} parameter.")
    return list(values.items())


def _read_body(body: bytes) -> Params:
    text = body.decode("utf-8", "replace").strip()
    if not text.startswith("{"):
        return parse_params(text)
    try:
        content = msgspec.json.decode(text, type=dict[str, str | int | None])
    except msgspec.DecodeError:
        raise MalformedRequest(
            "invalid_request", "The body must be a form, or a JSON object whose values are strings."
        ) from None
    return [(name, _normalize(name, str(value))) for name, value in content.items() if value is not None]


def _normalize(name: str, value: str) -> str:
    if "\x00" in value:
        raise MalformedRequest("invalid_request", f"{name} has a character that is not allowed.")
    return " ".join(filter(None, _SCOPE_SEPARATOR.split(value))) if name == "scope" else value


def _read_basic(authorization: str | None) -> tuple[str, str] | None:
    """Return the client's id and secret, which may be empty; None if another scheme, or none, is used."""
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = b64decode(encoded.strip() + "=" * (-len(encoded.strip()) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        raise MalformedRequest("invalid_client", "The Basic credentials can't be read.") from None
    client_id, _, secret = decoded.partition(":")
    return unquote_plus(client_id), unquote_plus(secret)
