"""What a file is by its first bytes."""

from __future__ import annotations

import re

_STARTS = (
    b"\x1aE\xdf\xa3", b"FLV\x01", b"0&\xb2u\x8ef\xcf\x11", b"\x06\x0e+4", b".RMF", b"nut/multimedia", b"DKIF",
    b"YUV4MPEG2", b"\xb7\xd8\x00 7I\xda\x11", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3", b"\x00\x00\x00\x01\x67",
    b"\x00\x00\x00\x01\x40\x01", b"\x00\x00\x01\x67", b"DHAV",
)  # fmt: skip
_ATOMS = (b"ftyp", b"moov", b"mdat", b"wide", b"pnot")
_OTHER_BRANDS = (b"heic", b"heix", b"mif1", b"msf1", b"avif", b"crx ", b"M4A ", b"M4B ", b"jp2 ", b"jxl ")

_DICOM_VIDEO = re.compile(rb"1\.2\.840\.10008\.1\.2\.4\.10[0-8](?:\.1)?[\x00 ]?")
"""Transfer syntaxes of MPEG-2, MPEG-4 and HEVC streams in DICOM."""

_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "an archive or an office document: an Excel workbook is saved as 'CSV UTF-8', an archive unpacked"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel or Word file: save it as 'CSV UTF-8'"),
    (b"\x1f\x8b", "compressed: unpack it first, as with gunzip"),
    (b"BZh", "compressed: unpack it first, as with bunzip2"),
    (b"\xfd7zXZ\x00", "compressed: unpack it first, as with unxz"),
    (b"(\xb5/\xfd", "compressed: unpack it first, as with unzstd"),
    (b"7z\xbc\xaf\x27\x1c", "an archive: unpack it first"),
    (b"Rar!", "an archive: unpack it first"),
    (b"%PDF-", "a PDF: copy its table into a CSV file"),
    (b"SQLite format 3\x00", "a database: export its table as CSV"),
    (b"ARROW1", "an Arrow file: write the table as Parquet"),
    (b"FEA1", "a Feather file: write the table as Parquet"),
    (b"Obj\x01", "an Avro file: write the table as Parquet"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file: write the table as Parquet"),
    (b"\x80\x04", "a pickle, which can run programs and is not opened: write the table as Parquet"),
    (b"\x80\x05", "a pickle, which can run programs and is not opened: write the table as Parquet"),
    (b"{\\rtf", "a text document: save it as plain text"),
)

_XLSX = re.compile(rb"xl/|\[Content_Types\]\.xml|docProps/")


def looks_like_video(head: bytes) -> bool:
    """Whether the first 4 KiB of a file are those of a video."""
    if head.startswith(_STARTS):
        return True
    if head[4:8] in _ATOMS:
        return head[8:12] not in _OTHER_BRANDS
    if head.startswith(b"RIFF"):
        return head[8:12] in (b"AVI ", b"CDXA")
    if head.startswith(b"OggS"):
        return any(name in head for name in (b"\x80theora", b"BBCD", b"video/", b"OVP80"))
    return any(len(head) > at + 2 * step and head[at::step][:3] == b"GGG" for at, step in ((0, 188), (4, 192)))


def looks_like_dicom(head: bytes) -> bool:
    """Whether a file is DICOM."""
    return head[128:132] == b"DICM"


def is_dicom_video(head: bytes) -> bool:
    """Whether a DICOM file holds a video stream."""
    return bool(_DICOM_VIDEO.search(head))


def not_a_list(head: bytes) -> str | None:
    """What a file is that is certainly no list of videos, and what to do with it; ``None`` for anything else."""
    if head.startswith(b"PK\x03\x04") and _XLSX.search(head):
        return "an Excel workbook: save it as 'CSV UTF-8' (File, Save As) and give that file"
    if head.startswith(b"PK\x03\x04") and b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet" in head:
        return "an OpenDocument spreadsheet: save it as CSV in UTF-8 and give that file"
    if re.match(rb"(?:\xef\xbb\xbf)?\s*(?:<!doctype html|<html|<\?xml)", head, re.IGNORECASE):
        return "a web page or XML, not a list: save the table in it as CSV, or its links as text"
    return next((what for start, what in _OTHERS if head.startswith(start)), None)
