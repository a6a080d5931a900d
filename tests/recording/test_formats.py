"""Every form in which tools write the same rows."""

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from rapport.activity import Activity
from rapport.errors import UnreadableFile
from rapport.instant import parse_instant
from rapport.recording.catalog_codec import CONTACTS
from rapport.recording.decoding import ACTIVITIES
from rapport.recording.files import read_file
from rapport.recording.json_values import split_values
from rapport.recording.options import NO_OPTIONS, ImportOptions
from rapport.recording.reading_log import ReadingLog
from rapport.recording.tables import InvalidLine
from tests.helpers.command import run_rapport

NOW = parse_instant("2026-06-01T00:00:00Z")
NAMES = ["contact_id", "campaign_activity_id", "tracking_activity_type", "created_time", "email_address", "first_name"]
ROWS = [
    ["1", "m1", "em_opens", "2026-04-02T09:00:00Z", "renée@example.com", "Renée"],
    ["2", "m1", "em_opens", "2026-04-02T09:00:00Z", "bob@example.com", "Bob, the 2nd"],
]


def read(content: bytes, options: ImportOptions = NO_OPTIONS) -> tuple[list[Activity | InvalidLine], ReadingLog]:
    log = ReadingLog()
    file = io.BufferedReader(io.BytesIO(content))
    return list(read_file(file, "any.name", NOW, ACTIVITIES, options=options, log=log)), log


def write(delimiter: str = ",", end: str = "\n", names: list[str] = NAMES, rows: list[list[str]] = ROWS) -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end)
    writer.writerows([names, *rows])
    return text.getvalue()


def objects() -> list[dict[str, str]]:
    return [dict(zip(NAMES, row, strict=True)) for row in ROWS]


def zipped(**files: bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("__MACOSX/._a.csv", b"rubbish")
        for name, content in files.items():
            packed.writestr(f"folder/{name}", content)
    return archive.getvalue()


def workbook(rows: list[list[str]]) -> bytes:
    """Return a minimal workbook, with inline texts."""
    cells = "".join(
        "<row>" + "".join(f'<c t="inlineStr"><is><t>{cell}</t></is></c>' for cell in row) + "</row>" for row in rows
    )
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    packages = "http://schemas.openxmlformats.org/package/2006"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{packages}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Override PartName="/xl/workbook.xml"'
        ' ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
        '<Override PartName="/xl/worksheets/sheet1.xml"'
        ' ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{packages}/relationships">'
        f'<Relationship Id="r1" Type="{relations}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{relations}"><sheets>'
        '<sheet name="Sheet1" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{packages}/relationships">'
        f'<Relationship Id="r1" Type="{relations}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>',
    }
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        for name, content in parts.items():
            packed.writestr(name, content)
    return archive.getvalue()


CSV = write().encode()
NDJSON = "\n".join(map(json.dumps, objects())).encode()

FORMS = {
    **{f"separated by {delimiter!r}": write(delimiter).encode() for delimiter in ",;\t|"},
    **{f"lines end with {end!r}": write(end=end).encode() for end in ("\r", "\r\n")},
    "sep=": b"sep=;\r\n" + write(";", "\r\n").encode(),
    "UTF-8 with a mark": CSV.decode().encode("utf-8-sig"),
    "UTF-16 with a mark": CSV.decode().encode("utf-16"),
    "UTF-16 LE": CSV.decode().encode("utf-16-le"),
    "UTF-16 BE": CSV.decode().encode("utf-16-be"),
    "Windows-1252": CSV.decode().encode("cp1252"),
    "header in capitals": write(names=[name.upper() for name in NAMES]).encode(),
    "header in words": write(names=[name.replace("_", " ").title() for name in NAMES]).encode(),
    "blanks": write(";", rows=[[f" {cell} " for cell in row] for row in ROWS]).encode(),
    "blanks around quotes": CSV.replace(b',"Bob, the 2nd"', b', "Bob, the 2nd" '),
    "empty rows": CSV.replace(b"\n", b"\n\n,,,,,\n"),
    "trailing columns": write(names=[*NAMES, "", ""], rows=[[*row, "", ""] for row in ROWS]).encode(),
    "NULL": write(names=[*NAMES, "last_name", "event_id"], rows=[[*row, "NULL", "\\N"] for row in ROWS]).encode(),
    "NDJSON": NDJSON,
    "a JSON array": json.dumps(objects()).encode(),
    "an indented array": b"\xef\xbb\xbf" + json.dumps(objects(), indent=2).encode(),
    "indented objects": "\n".join(json.dumps(item, indent=2) for item in objects()).encode(),
    "objects in a row": "".join(map(json.dumps, objects())).encode(),
    "an array a line": "\n".join(json.dumps([item]) for item in objects()).encode(),
    "gzip": gzip.compress(CSV),
    "zstd": zstandard.compress(NDJSON),
    "zip": zipped(a=CSV),
    "zip of two": zipped(a=write(rows=ROWS[:1]).encode(), b=write(rows=ROWS[1:]).encode()),
    "zip of gzip": zipped(a=gzip.compress(CSV)),
    "workbook": workbook([NAMES, *ROWS, [""] * 6]),
    "packed workbook": gzip.compress(workbook([NAMES, *ROWS])),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_format_yields_same_rows(form: str) -> None:
    expected, _ = read(NDJSON)
    rows, log = read(FORMS[form])
    assert rows == expected
    assert ("not UTF-8: read as Windows-1252" in log.notes) == (form == "Windows-1252")


CELLS = (
    st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)
    .map(str.strip)
    .filter(lambda text: text and text not in {"NULL", "\\N"})
)


@given(st.lists(CELLS, min_size=1, max_size=5), st.sampled_from(",;\t|"), st.sampled_from(["\n", "\r\n"]))
def test_any_cell_round_trips_through_csv(names: list[str], delimiter: str, end: str) -> None:
    rows = [["c", "m", "em_opens", "2026-04-02T09:00:00Z", "", name] for name in names]
    text = write(delimiter, end, rows=rows)
    activities, _ = read(text.encode())
    assert [
        activity.person and activity.person.first_name for activity in activities if isinstance(activity, Activity)
    ] == names


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.slow
@given(st.lists(st.dictionaries(st.text(max_size=5), JSON_VALUES, max_size=3)), st.integers(1, 50), st.booleans())
def test_json_is_split_into_values(values: list[object], size: int, is_array: bool) -> None:
    text = json.dumps(values, indent=1) if is_array else "\n".join(map(json.dumps, values))
    file = io.BytesIO(text.encode())
    assert [json.loads(value.content or b"") for value in split_values(lambda: file.read(size), 10_000)] == values


def test_invalid_array_item_is_rejected_alone() -> None:
    items = [json.dumps(item) for item in objects()]
    rows, _ = read(f'[{items[0]},\n{{"first_name": "\\ud83d"}},\noops,\n{items[1]}]'.encode())
    assert [type(row) for row in rows] == [Activity, InvalidLine, InvalidLine, Activity]
    assert [row.number for row in rows if isinstance(row, InvalidLine)] == [2, 3]


def test_unknown_column_error_suggests_mapping() -> None:
    content = write(names=["Subscriber Key", *NAMES[1:-1], "Vorname"]).encode()
    with pytest.raises(UnreadableFile, match=r"'Subscriber Key' is not a field .* nearest .* --map 'Subscriber Key="):
        read(content)
    options = ImportOptions(columns={"subscriber key": "contact_id", "Vorname": "first_name"})
    assert read(content, options)[0] == read(NDJSON)[0]
    ignoring = ImportOptions(columns={"Subscriber Key": "contact_id"}, ignore_unknown=True)
    rows, _ = read(content, ignoring)
    assert all(isinstance(row, Activity) and row.person and row.person.first_name is None for row in rows)
    with pytest.raises(UnreadableFile, match=r"'contactid' is not a field of an activity\. Did you mean contact_id"):
        read(content, ImportOptions(columns={"Vorname": "contactid"}))


def test_json_keys_are_mapped() -> None:
    foreign = [{"user": row[0], "extra": 1, **dict(zip(NAMES[2:], row[2:], strict=True))} for row in ROWS]
    options = ImportOptions(
        columns={"user": "contact_id"}, constants={"campaign_activity_id": "m1"}, ignore_unknown=True
    )
    assert read(json.dumps(foreign).encode(), options)[0] == read(NDJSON)[0]


@pytest.mark.parametrize(("time", "is_clear"), [("04/02/2026 9:00", False), ("04/15/2026 9:00", True)])
def test_ambiguous_date_order_must_be_specified(time: str, is_clear: bool) -> None:
    rows = [[*row[:3], at, *row[4:]] for row, at in zip(ROWS, ["04/02/2026 9:00", time], strict=True)]
    content, zone = write(rows=rows).encode(), ImportOptions(timezone="UTC")
    if is_clear:
        activities, _ = read(content, zone)
        assert isinstance(activities[0], Activity)
        assert activities[0].created_time == parse_instant("2026-04-02T09:00:00Z")
    else:
        with pytest.raises(UnreadableFile, match="--dates mdy or --dates dmy"):
            read(content, zone)


def test_contact_list_is_read_by_its_columns() -> None:
    content = (
        b'"Email Address","First Name","Last Name",MEMBER_RATING,OPTIN_TIME,LAST_CHANGED,LEID,EUID\n'
        b'Ada@Example.com,Ada,Example,4,"2018-02-12 17:59:31","2018-02-12 18:06:58",33996391,8b66ccca37\n'
    )
    with pytest.raises(UnreadableFile, match="--type contacts"):
        read(content)
    (contact,) = read_file(io.BufferedReader(io.BytesIO(content)), "a", NOW, CONTACTS)
    assert not isinstance(contact, InvalidLine)
    assert (contact.contact_id, contact.person.first_name) == ("ada@example.com", "Ada")
    assert contact.updated_at == parse_instant("2018-02-12T18:06:58Z")


def test_preview_records_nothing(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(write(";", names=[*NAMES, "device_type"], rows=[[*row, "desktop"] for row in ROWS]).encode())
    shown = run_rapport("import", str(file), "--preview", "--data", str(tmp_path / "none")).stdout
    assert shown.count('"device_type":"computer"') == 2
    assert "warning: device_type 'desktop': recorded as computer" in shown
    assert "nothing was recorded" in shown
    assert not (tmp_path / "none").exists()


@pytest.mark.slow
def test_import_errors_say_what_to_do(tmp_path: Path) -> None:
    file, data = tmp_path / "a.csv", str(tmp_path / "data")
    file.write_text(
        write(names=[*NAMES[:4], "device_type"], rows=[["", *ROWS[0][1:4], "desktop"], [*ROWS[1][:4], "pc"]])
    )
    process = run_rapport("import", str(file), "--create", "--data", data, code=1)
    assert "1 accepted, 0 duplicate, 1 rejected, 1 warning" in process.stdout
    assert "device_type 'pc': recorded as computer" in process.stdout
    assert "line 2: contact_id is required" in process.stderr
    assert "--set contact_id=VALUE" in process.stderr
    assert "1 accepted, 1 duplicate" in run_rapport("import", str(file), "--set", "contact_id=7", "--data", data).stdout


def first_names(content: bytes, options: ImportOptions = NO_OPTIONS) -> list[str | None]:
    """Return the first names of the activities, of which none may be rejected."""
    activities, _ = read(content, options)
    assert [line for line in activities if isinstance(line, InvalidLine)] == []
    return [line.person and line.person.first_name for line in activities if isinstance(line, Activity)]


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ('="007"', "007"),
        ('"=""007"""', "007"),
        ("null", None),
        ("Null", "Null"),
        (r'"Ada \"C\" L"', 'Ada "C" L'),
        ("'=1+1", "=1+1"),
    ],
)
def test_cells_of_other_tools_are_unwrapped(cell: str, name: str | None) -> None:
    assert first_names(write(rows=[[*ROWS[0][:4], "", "X"]]).replace("X", cell).encode()) == [name]


def test_carriage_returns_end_lines_also_with_line_feeds_in_cells() -> None:
    content = write(end="\r", rows=[[*ROWS[0][:5], "X"], ROWS[1]]).replace("X", '"Ada\nLovelace"').encode()
    assert first_names(content) == ["Ada Lovelace", "Bob, the 2nd"]


def test_short_row_is_recorded_with_warning_if_it_can_be() -> None:
    content = write(rows=[ROWS[0][:4], ROWS[1], ROWS[0][:2]]).encode()
    rows, log = read(content)
    assert [type(row) for row in rows] == [Activity, Activity, InvalidLine]
    assert [notice.action for notice in log.notices.values()] == [
        "has fewer cells than the header has columns; the missing ones are taken as empty"
    ]
    assert isinstance(rows[2], InvalidLine)
    assert rows[2].error.reason == "has 2 cells, but the header has 6 columns"


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_cut_off_archive_is_reported(pack: Callable[[bytes], bytes]) -> None:
    with pytest.raises(UnreadableFile, match="can't be read to the end"):
        read(pack(CSV)[:-3])


def test_frames_of_zstandard_are_read_one_after_the_other() -> None:
    header, _, rows = CSV.partition(b"\n")
    assert len(first_names(zstandard.compress(header + b"\n") + zstandard.compress(rows))) == 2


def test_unreadable_file_in_archive_does_not_stop_others() -> None:
    with pytest.raises(UnreadableFile, match=r"folder/README.*header.*; folder/z: is"):
        read(zipped(README=b"Exported on Monday\n", a=CSV, z=b"%PDF"))
    log = ReadingLog()
    lines = read_file(io.BufferedReader(io.BytesIO(zipped(README=b"Hello\n", a=CSV))), "a", NOW, ACTIVITIES, log=log)
    assert [type(next(lines)) for _ in ROWS] == [Activity, Activity]


@pytest.mark.parametrize("content", [b"BZh91AY&SY", b"\xfd7zXZ\0\0", b"PAR1\x15\x04", CSV.decode().encode("utf-32-le")])
def test_file_of_another_format_is_refused(content: bytes) -> None:
    with pytest.raises(UnreadableFile, match="is neither CSV, JSON, NDJSON nor an Excel workbook"):
        read(content)


def test_page_of_unknown_api_is_read_by_its_list() -> None:
    page = json.dumps({"meta": {"total": 2}, "data": objects()}, indent=1).encode()
    assert read(page)[0] == read(NDJSON)[0]
    assert read(page + b"\n" + page)[0] == read(NDJSON + b"\n" + NDJSON)[0]
    rows, _ = read(json.dumps({"data": [*objects(), {"contact_id": "3"}]}).encode())
    assert [type(row) for row in rows] == [Activity, Activity, InvalidLine]


def test_unknown_field_of_own_row_is_not_dropped() -> None:
    rows, _ = read(json.dumps({**objects()[0], "emial_address": "x@example.com"}).encode())
    assert isinstance(rows[0], InvalidLine)
    assert "did you mean email_address" in rows[0].error.reason


def test_missing_columns_are_named_together() -> None:
    with pytest.raises(
        UnreadableFile, match=r"campaign_activity_id and tracking_activity_type.*--set campaign_activity"
    ):
        read(b"contact_id,created_time\n1,2026-04-02T09:00:00Z\n")


@pytest.mark.parametrize(
    ("column", "field"),
    [
        ("Subscriber", "contact_id"),
        ("E-Mail", "email_address"),
        ("Opened At", "created_time"),
        ("Clicked Link", "link_url"),
        ("User Agent", "device_type"),
        ("Newsletter", "campaign_activity_id"),
        ("Frist Name", "first_name"),
    ],
)
def test_unknown_column_is_recognized_by_its_words(column: str, field: str) -> None:
    with pytest.raises(UnreadableFile, match=f"the nearest one is {field}"):
        read(f"{column}\nx\n".encode())
