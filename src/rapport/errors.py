"""Rapport's exceptions. The API's table of status codes is in `rapport.api.errors`."""

from collections.abc import Iterable

_INVALID_ID = "has an invalid format: {!r}; expected 1 to 255 characters without control characters"


class RapportError(Exception):
    """Base class of Rapport's exceptions. Its message is a sentence for users."""


class InvalidField(RapportError):
    """A field has an invalid value."""

    def __init__(self, field: str, value: object, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.value = value
        self.reason = reason


class AddressConflict(RapportError):
    """Another contact of the account has the email address."""

    def __init__(self, contact_id: str) -> None:
        super().__init__(f"email_address: already used by contact {contact_id}; update that contact instead")


class InvalidSetting(RapportError):
    """A setting has an invalid value."""


class StoreUnavailable(RapportError):
    """The store is unavailable. Nothing was acknowledged; try again."""


class StoreBusy(StoreUnavailable):
    """Too many requests of an account are waiting for the store. Try again in `retry_after` seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"too many requests from this account are waiting; try again in {retry_after} s")
        self.retry_after = retry_after


class DataNotFound(RapportError):
    """There is no store at the configured location."""


class SchemaTooNew(RapportError):
    """The data was written by a newer version of Rapport."""


class SchemaIncomplete(RapportError):
    """The data lacks migrations that this version can no longer apply."""


class RecorderBusy(RapportError):
    """Too many activities are waiting to be recorded. Try again in `retry_after` seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"too many activities are waiting to be recorded; try again in {retry_after} s")
        self.retry_after = retry_after


class TooManyStreams(RapportError):
    """There are too many streams, or the server is shutting down. Try again in `retry_after` seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"too many live connections; try again in {retry_after} s")
        self.retry_after = retry_after


class TooMuchUnread(RapportError):
    """An account's clients haven't read too many large responses. Try again in `retry_after` seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"too many responses to this account are waiting to be read; try again in {retry_after} s")
        self.retry_after = retry_after


class InvalidToken(RapportError):
    """A token is not accepted. The reason is for the log, never for the client."""


class RevokedToken(InvalidToken):
    """A token, or one that it was created with, was revoked."""


class UnknownToken(RapportError):
    """The account has no named token with this id. It may be another account's."""

    def __init__(self, token_id: str) -> None:
        super().__init__(f"no token {token_id}; `rapport token list` prints the tokens of an account")


class TooManyTokens(RapportError):
    """The account's maximum number of tokens, or of tokens created with each other, is reached."""


class TooManyApplications(RapportError):
    """The account has the maximum number of OAuth applications."""


class InvalidCursor(RapportError):
    """A cursor that this server didn't issue for this account and path."""


class UnreadableFile(RapportError):
    """A file doesn't have the format that its name indicates. What was read before the error is recorded."""


class NotFound(RapportError):
    """The account has no resource with this id."""

    def __init__(self, value: str) -> None:
        super().__init__(value)


class UnknownContact(NotFound):
    """The account has no such contact. It may be another account's."""

    def __init__(self, contact_id: str) -> None:
        super().__init__(f"no contact {contact_id}")


class UnknownCampaignActivity(NotFound):
    """The account has no such campaign activity. It may be another account's."""

    def __init__(self, campaign_activity_id: str) -> None:
        super().__init__(f"no campaign activity {campaign_activity_id}")


class Forbidden(RapportError):
    """The token or session is valid, but doesn't have the scope, or its role doesn't have the privilege."""

    def __init__(self, reason: str, scope: str | None = None) -> None:
        super().__init__(reason)
        self.scope = scope


class InvalidForm(RapportError):
    """A form that was not sent from a page of this session."""


class RepeatedRequest(RapportError):
    """The same form was submitted, and processed, before."""


class Throttled(RapportError):
    """The client sends too many requests."""

    def __init__(self, retry_after: int, limit: int | None = None) -> None:
        super().__init__(f"too many requests; try again in {retry_after} s")
        self.retry_after = retry_after
        self.limit = limit
        """The maximum number of requests in the period, if it is counted exactly."""


class QuotaExceeded(Throttled):
    """The client has used up its daily quota."""


class MalformedContactId(NotFound):
    """A contact id has an invalid format."""

    def __init__(self, value: str) -> None:
        super().__init__(f"contact_id {_INVALID_ID.format(value)}")


class UnknownResource(NotFound):
    """The account has no such resource. It may be another account's."""


class UnknownApplication(NotFound):
    """The account has no such application. It may be another account's."""

    def __init__(self, client_id: str) -> None:
        super().__init__(f"no application {client_id}")


class UnknownUserCode(NotFound):
    """No device of the account is waiting with this code."""

    def __init__(self, user_code: str) -> None:
        super().__init__(f"no device is waiting with the code {user_code[:20]!r}")


class UnknownAccount(NotFound):
    """There is no such account."""

    def __init__(self, account_id: str, known: Iterable[str]) -> None:
        super().__init__(f"there is no account {account_id!r}; expected one of {', '.join(sorted(known)) or 'none'}")


class UnknownUser(NotFound):
    """The account has no such user. It may have another account's."""

    def __init__(self, user: str) -> None:
        super().__init__(f"there is no user {user}")


class UnknownSession(NotFound):
    """The account has no such session, or it has ended."""

    def __init__(self, session_id: str) -> None:
        super().__init__(f"there is no session {session_id}")


class InvalidLink(RapportError):
    """A one-time link that is unknown, was used, or has expired."""


class LastOwner(RapportError):
    """The only owner of an account can't be removed, and keeps the role."""


class SeveralAccounts(RapportError):
    """Somebody who signed in is a user of several accounts, and has to choose one."""

    def __init__(self, account_ids: list[str]) -> None:
        super().__init__("choose one of the accounts")
        self.account_ids = account_ids


class MailNotSent(RapportError):
    """A message was not sent."""


class ProviderUnavailable(RapportError):
    """The OpenID Connect provider can't be used at the moment. The reason is for the log."""


class TooManyUsers(RapportError):
    """The account has the maximum number of users."""


class SignInFailed(RapportError):
    """The email address, the password or the account is wrong. The message doesn't say which."""


class UnknownCampaign(NotFound):
    """The account has no such campaign. It may be another account's."""

    def __init__(self, campaign_id: str) -> None:
        super().__init__(f"campaign_ids: no campaign {campaign_id}")


class MalformedCampaignActivityId(NotFound):
    """A campaign activity id has an invalid format."""

    def __init__(self, value: str) -> None:
        super().__init__(f"campaign_activity_id {_INVALID_ID.format(value)}")


class MalformedBody(RapportError):
    """A request body doesn't have the format that its headers declare."""


class PayloadTooLarge(RapportError):
    """A request body is too large."""


class BodyTimeout(RapportError):
    """The client stopped sending the request body, or sent it too slowly."""


class TooManyBodies(RapportError):
    """The worker is receiving too many large request bodies. Try again in `retry_after` seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"too many large request bodies at once; try again in {retry_after} s")
        self.retry_after = retry_after


class UnsupportedMediaType(RapportError):
    """The request body has a media type that isn't accepted."""


class ErasedContactMerged(RapportError):
    """A contact can't be merged into one that was erased: its history would be partly refused."""

    def __init__(self, contact_id: str) -> None:
        super().__init__(
            f"contact {contact_id} was erased; merge it into the other contact instead, or erase the other one as well"
        )
        self.contact_id = contact_id
