"""Reading files of every format in constant memory."""

import gzip
import io

import pytest

from rapport.activity import Activity
from rapport.errors import UnreadableFile
from rapport.instant import parse_instant
from rapport.recording.decoding import ACTIVITIES
from rapport.recording.files import read_file
from rapport.recording.tables import MAX_FILE_LINE_BYTES, InvalidLine

NOW = parse_instant("2026-06-01T00:00:00Z")
GOOD = (
    b'{"contact_id":"c","campaign_activity_id":"m","tracking_activity_type":"em_opens",'
    b'"created_time":"2026-03-01T10:00:00Z"}\n'
)
HEADER = b"contact_id,campaign_activity_id,tracking_activity_type,created_time,opt_out_reason\r\n"
ROW = b"c,m,em_opens,2026-03-01T10:00:00Z,\r\n"


def read_lines(content: bytes, name: str = "a.ndjson") -> list[Activity | InvalidLine]:
    return list(read_file(io.BufferedReader(io.BytesIO(content)), name, NOW, ACTIVITIES))


def list_invalid_lines(lines: list[Activity | InvalidLine]) -> list[tuple[int, str]]:
    return [(line.number, line.error.field) for line in lines if isinstance(line, InvalidLine)]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (GOOD * 3, "a.ndjson"),
        (GOOD * 3, "-"),
        (gzip.compress(GOOD * 3), "a.ndjson.gz"),
        (gzip.compress(GOOD) + gzip.compress(GOOD * 2), "a.ndjson.gz"),
        (gzip.compress(GOOD * 3), "-"),
        (b"\xef\xbb\xbf" + GOOD * 3, "a.ndjson"),
        ((GOOD * 3).rstrip(), "a.ndjson"),
        ((GOOD * 3).replace(b"\n", b"\r\n"), "a.ndjson"),
        (b"\n" + GOOD + b"  \r\n\n" + GOOD * 2 + b"\n", "a.ndjson"),
        (HEADER + ROW * 3, "a.csv"),
        (HEADER + ROW * 3, "-"),
        (gzip.compress(HEADER + ROW * 3), "a.csv.gz"),
        (gzip.compress(HEADER + ROW * 3), "-"),
        (b"\xef\xbb\xbf" + HEADER + ROW * 3, "a.csv"),
        (HEADER.replace(b",", b" , ") + b"\r\n" + ROW * 3 + b"\r\n", "a.csv"),
        ((HEADER + ROW * 3).replace(b"\r\n", b"\n"), "a.csv"),
    ],
)
def test_every_format_yields_same_lines(content: bytes, name: str) -> None:
    lines = read_lines(content, name)
    assert len(lines) == 3
    assert all(line == lines[0] for line in lines)
    assert isinstance(lines[0], Activity)


@pytest.mark.parametrize("name", ["a.ndjson", "a.csv", "-"])
def test_empty_file_yields_nothing(name: str) -> None:
    assert read_lines(b"", name) == []


def test_rejected_lines_have_editor_line_numbers() -> None:
    lines = read_lines(GOOD + b"\n{\n" + GOOD + b"[]\n" + GOOD.replace(b"em_opens", b"opens"))
    assert list_invalid_lines(lines) == [(3, "line"), (5, "line"), (6, "tracking_activity_type")]
    assert len(lines) == 5


def test_endless_line_is_rejected_without_buffering() -> None:
    lines = read_lines(GOOD + b"x" * (MAX_FILE_LINE_BYTES * 40) + b"\n" + GOOD + b"y" * (MAX_FILE_LINE_BYTES + 1))
    assert list_invalid_lines(lines) == [(2, "line"), (4, "line")]
    assert all(len(line.text) < 300 for line in lines if isinstance(line, InvalidLine))
    assert len(lines) == 4


def test_csv_cell_may_span_lines() -> None:
    lines = read_lines(
        HEADER + b'c,m,em_optouts,2026-03-01T10:00:00Z,"one\ntwo, ""three"""\r\n' + ROW + b"bad\r\n", "a.csv"
    )
    assert isinstance(lines[0], Activity)
    assert lines[0].opt_out_reason == 'one\ntwo, "three"'
    assert list_invalid_lines(lines) == [(5, "line")]


def test_unclosed_csv_quote_does_not_swallow_file() -> None:
    lines = read_lines(HEADER + b'"c,m\r\n' + ROW * 10_000, "a.csv")
    rejected = [line for line in lines if isinstance(line, InvalidLine)]
    assert [line.number for line in rejected] == [2]
    # The rejected text contains the swallowed lines, so that the file can be fixed.
    assert len(lines) - 1 + rejected[0].text.count("em_opens") == 10_000
    assert len(lines) > 8_000


def test_csv_rows_are_rejected_individually() -> None:
    lines = read_lines(HEADER + ROW + b"c,m\r\n" + ROW + ROW.replace(b"em_opens", b"opens"), "a.csv")
    assert list_invalid_lines(lines) == [(3, "line"), (5, "tracking_activity_type")]


@pytest.mark.parametrize(
    ("content", "name", "why"),
    [
        (b"%PDF-1.7", "a.ndjson", "neither CSV"),
        (gzip.compress(GOOD)[:-4], "a.ndjson.gz", "read to the end"),
        (b"PK\x03\x04" + GOOD, "a.zip", "read to the end"),
        (HEADER.replace(b"opt", b"upt") + ROW, "a.csv", "upt_out_reason"),
        (b"contact_id,contact_id\r\n", "a.csv", "twice"),
    ],
)
def test_unreadable_file_is_explained(content: bytes, name: str, why: str) -> None:
    with pytest.raises(UnreadableFile, match=why):
        read_lines(content, name)


def test_truncated_gzip_yields_complete_lines() -> None:
    torn = gzip.compress(GOOD * 1_000, mtime=0)[:-12]
    lines: list[Activity | InvalidLine] = []
    with pytest.raises(UnreadableFile):
        lines.extend(read_file(io.BufferedReader(io.BytesIO(torn)), "a.ndjson.gz", NOW, ACTIVITIES))
    assert len(lines) > 900


def test_stray_csv_quote_rejects_its_row_only() -> None:
    stray = b'c,m,em_opens,2026-03-01T10:00:01Z,"Al\r\n'
    assert list_invalid_lines(read_lines(HEADER + ROW * 3 + stray + ROW * 2_000, "a.csv")) == [(5, "line")]
    closed_by_another = HEADER + ROW + stray + ROW * 5 + stray + ROW
    assert list_invalid_lines(read_lines(closed_by_another, "a.csv")) == [(3, "line"), (9, "line")]


def test_overlong_csv_row_rejects_its_row_only() -> None:
    long = b'c,m,em_opens,2026-03-01T10:00:01Z,"' + b"x" * (MAX_FILE_LINE_BYTES + 5_000) + b'"\r\n'
    lines = read_lines(HEADER + ROW * 9 + long + ROW * 400, "a.csv")
    assert list_invalid_lines(lines) == [(11, "line")]
    assert len(lines) == 410


@pytest.mark.parametrize("header", [b'contact_id,"camp\rx', b"42,m,em_opens,2026-03-01T10:00:00Z\n", b"a;b;c\n"])
def test_invalid_csv_header_is_reported(header: bytes) -> None:
    with pytest.raises(UnreadableFile, match="header"):
        read_lines(header, "a.csv")


def test_blank_lines_before_csv_header_are_skipped() -> None:
    assert len(read_lines(b"\r\n\r\n" + HEADER + ROW, "a.csv")) == 1


class Trickle(io.RawIOBase):
    """A pipe that yields one byte at a time."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        byte, self._content = self._content[:1], self._content[1:]
        buffer[: len(byte)] = byte
        return len(byte)


@pytest.mark.parametrize("content", [gzip.compress(GOOD), b"\xef\xbb\xbf" + GOOD, HEADER + ROW])
def test_format_of_slow_pipe_is_detected(content: bytes) -> None:
    (line,) = read_file(io.BufferedReader(Trickle(content)), "-", NOW, ACTIVITIES)
    assert isinstance(line, Activity)


def test_deeply_nested_line_is_rejected_alone() -> None:
    deep = b'{"contact_id":' + b"[" * 5_000 + b"]" * 5_000 + b"}\n"
    assert list_invalid_lines(read_lines(GOOD + deep + GOOD)) == [(2, "line")]
