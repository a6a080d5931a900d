"""What can go wrong, one class a failure. No status codes: the API has its own table for those."""

_INVALID_ID = "has an invalid format: {!r}; expected 1 to 255 characters without control characters"


class RapportError(Exception):
    """Every failure that Rapport itself raises. Its text is a sentence for the person who meets it."""


class InvalidField(RapportError):
    """One field of what came in can't be taken."""

    def __init__(self, field: str, value: object, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.value = value
        self.reason = reason


class InvalidSetting(RapportError):
    """A setting has a value that it can't have."""


class StoreUnavailable(RapportError):
    """The store can't answer now. Nothing that was asked of it has been acknowledged; try again."""


class StoreBusy(StoreUnavailable):
    """Too many requests of an account wait for the store. Try again in `retry_after` seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"too many requests of this account are waiting; try again in {retry_after} s")
        self.retry_after = retry_after


class DataNotFound(RapportError):
    """There is no store where one was said to be."""


class SchemaTooNew(RapportError):
    """The data was written by a newer Rapport than this one."""


class SchemaIncomplete(RapportError):
    """The data lacks steps of its schema that can't be applied any more."""


class RecorderBusy(RapportError):
    """More activities wait for the disk than may wait. Try again in `retry_after` seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"too many activities are waiting to be recorded; try again in {retry_after} s")
        self.retry_after = retry_after


class TooManyStreams(RapportError):
    """As many listen here as may, or the server stops. Try again in `retry_after` seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"too many are listening; try again in {retry_after} s")
        self.retry_after = retry_after


class TooMuchUnread(RapportError):
    """Too much that was sent to clients of an account hasn't been read yet. Try again in `retry_after` seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"too many responses to this account are waiting to be read; try again in {retry_after} s")
        self.retry_after = retry_after


class InvalidToken(RapportError):
    """A token that this server doesn't accept. Why is for the log, never for the caller."""


class RevokedToken(InvalidToken):
    """A token that was good until it was revoked, or one that it was made with."""


class UnknownToken(RapportError):
    """The account has no token of that id in its list; whether another account has it makes no difference."""

    def __init__(self, token_id: str) -> None:
        super().__init__(f"there is no token {token_id} in the list")


class TooManyTokens(RapportError):
    """The account, or the token that this one would be made with, has as many as it may."""


class TooManyApplications(RapportError):
    """The account has the maximum number of OAuth applications."""


class InvalidCursor(RapportError):
    """A `next` that this server didn't make for this account and path."""


class UnreadableFile(RapportError):
    """A file that can't be read as what its name says. What was read of it before is recorded."""


class NotFound(RapportError):
    """The account has no resource with this id."""

    def __init__(self, value: str) -> None:
        super().__init__(value)


class UnknownContact(NotFound):
    """The account has no such contact; whether another account has it makes no difference."""

    def __init__(self, contact_id: str) -> None:
        super().__init__(f"no contact {contact_id}")


class UnknownCampaignActivity(NotFound):
    """The account has no such campaign activity; whether another account has it makes no difference."""

    def __init__(self, campaign_activity_id: str) -> None:
        super().__init__(f"no campaign activity {campaign_activity_id}")


class Forbidden(RapportError):
    """The token is good, but lacks the scope, or its user's role the privilege."""

    def __init__(self, lacking: str, scope: str | None = None) -> None:
        super().__init__(f"the {lacking} is missing")
        self.scope = scope


class InvalidForm(RapportError):
    """A form that no page of this server sent in this session."""


class RepeatedRequest(RapportError):
    """The same form was submitted before, and acted on."""


class Throttled(RapportError):
    """The client asks too often."""

    def __init__(self, retry_after: int, limit: int | None = None) -> None:
        super().__init__(f"too many requests; try again in {retry_after} s")
        self.retry_after = retry_after
        self.limit = limit
        """The number of requests that the client may make until then, if it is counted exactly."""


class QuotaExceeded(Throttled):
    """The client has used up its day."""


class MalformedContactId(NotFound):
    """A contact id that no contact can have."""

    def __init__(self, value: str) -> None:
        super().__init__(f"contact_id {_INVALID_ID.format(value)}")


class UnknownResource(NotFound):
    """The account has no resource of this kind with this id."""


class UnknownApplication(NotFound):
    """The account has no application with this id; whether another account has it makes no difference."""

    def __init__(self, client_id: str) -> None:
        super().__init__(f"there is no application {client_id}")


class UnknownUserCode(NotFound):
    """No device of the account waits with this code."""

    def __init__(self, user_code: str) -> None:
        super().__init__(f"no device waits with the code {user_code[:20]!r}")


class UnknownCampaign(NotFound):
    """The account has no such campaign; whether another account has it makes no difference."""

    def __init__(self, campaign_id: str) -> None:
        super().__init__(f"campaign_ids: there is no campaign {campaign_id}")


class MalformedCampaignActivityId(NotFound):
    """A campaign activity id that no campaign activity can have."""

    def __init__(self, value: str) -> None:
        super().__init__(f"campaign_activity_id {_INVALID_ID.format(value)}")


class MalformedBody(RapportError):
    """The body as a whole can't be read as what its headers say."""


class PayloadTooLarge(RapportError):
    """The body is larger than a request may be."""


class BodyTimeout(RapportError):
    """The client stopped sending the body, or sent it too slowly."""


class TooManyBodies(RapportError):
    """The worker holds as many bytes of bodies as it may. Try again in `retry_after` seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"too many large bodies at once; try again in {retry_after} s")
        self.retry_after = retry_after


class UnsupportedMediaType(RapportError):
    """The body is of a kind that isn't taken here."""
