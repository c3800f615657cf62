"""A file or standard input as a stream of plain bytes, whatever it is packed in."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol, cast

from cascade_cli.errors import DependencyError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from _typeshed import WriteableBuffer

PARQUET: Final = b"PAR1"
_GZIP: Final = b"\x1f\x8b"
_ZSTANDARD: Final = b"\x28\xb5\x2f\xfd"
_MAGIC_BYTES: Final = 16
_BUFFER_BYTES: Final = 1 << 18

# What people hand over by mistake, by its first bytes.
_FOREIGN: Final = {
    b"PK\x03\x04": "a zip archive or a spreadsheet",
    b"SQLite format 3": "an SQLite database",
    b"ARROW1": "an Arrow file",
    b"Obj\x01": "an Avro file",
    b"ORC": "an ORC file",
    b"BZh": "packed with bzip2",
    b"\xfd7zXZ": "packed with xz",
    b"\x04\x22\x4d\x18": "packed with lz4",
    b"%PDF": "a PDF document",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"\x7fELF": "a program",
    b"PGDMP": "a PostgreSQL dump",
    b"\xff\xfe": "text in UTF-16",
    b"\xfe\xff": "text in UTF-16",
}


class ByteStream(Protocol):
    """A buffered binary stream; ``read1`` gives what is at hand, so an error further on loses nothing."""

    def read1(self, size: int = ..., /) -> bytes: ...  # noqa: D102


class DamagedStreamError(Exception):
    """A packed stream is cut off, or what stands in it is not what it was packed as."""


class _Rejoined(io.RawIOBase):
    """A stream whose first bytes were looked at and put back, for pipes cannot seek."""

    def __init__(self, head: bytes, rest: ByteStream) -> None:
        super().__init__()
        self._head = head
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        chunk = self._head[: len(view)] or self._rest.read1(len(view))
        self._head = self._head[len(chunk) :]
        view[: len(chunk)] = chunk
        return len(chunk)


class _Unpacking(_Rejoined):
    """A stream that is unpacked as it is read, its library's errors made into one."""

    def __init__(self, unpacker: ByteStream, *errors: type[Exception]) -> None:
        super().__init__(b"", unpacker)
        self._errors = errors

    def readinto(self, buffer: WriteableBuffer) -> int:
        try:
            return super().readinto(buffer)
        except EOFError as error:
            raise DamagedStreamError("it is cut off") from error
        except self._errors as error:
            raise DamagedStreamError(f"it is damaged ({error})") from error


def open_input(path: Path | None) -> BinaryIO:
    """Open a file, or take standard input for None.

    Raises:
        UsageError: there is no such file, it is a folder, or it may not be read.
        DependencyError: the disk refuses.
    """
    if path is None:
        return sys.stdin.buffer
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        raise UsageError(f"{path}: there is no such file.", hint="Check the path.") from error
    except IsADirectoryError as error:
        raise UsageError(f"{path} is a folder.", hint="Name one of the files in it.") from error
    except PermissionError as error:
        raise UsageError(f"{path} may not be read.", hint="Ask its owner for permission.") from error
    except ValueError as error:  # a NUL in the path
        raise UsageError(f"{str(path)!r} is not a path.", hint="Check the path.") from error
    except OSError as error:
        raise DependencyError(f"{path} cannot be opened: {error.strerror}.") from error


def read_head(stream: BinaryIO, name: str) -> bytes:
    """Read the first bytes, which tell what a file is; fewer where the input is shorter.

    Raises:
        DependencyError: the disk refuses.
    """
    try:
        return stream.read(_MAGIC_BYTES)
    except OSError as error:
        raise DependencyError(f"{name} cannot be read: {error.strerror}.") from error


def foreign_format(head: bytes) -> str | None:
    """Name what the first bytes belong to, where that is nothing we read; None where it may be."""
    return next((name for magic, name in _FOREIGN.items() if head.startswith(magic)), None)


def unpacked(head: bytes, rest: BinaryIO) -> io.BufferedReader:
    """Join the head with the rest, and undo gzip or zstd.

    Reading the stream may raise ``DamagedStreamError``, after all that could be unpacked has been read.
    """
    joined: io.BufferedReader = io.BufferedReader(_Rejoined(head, cast("ByteStream", rest)), _BUFFER_BYTES)
    if head.startswith(_GZIP):
        unpacker = _Unpacking(gzip.GzipFile(fileobj=joined), gzip.BadGzipFile, zlib.error)
        return io.BufferedReader(unpacker, _BUFFER_BYTES)
    if head.startswith(_ZSTANDARD):
        return io.BufferedReader(_zstandard(joined), _BUFFER_BYTES)
    return joined


def _zstandard(packed: BinaryIO) -> _Unpacking:
    # Imported here because hardly any input needs it.
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return _Unpacking(zstd.ZstdFile(packed), zstd.ZstdError)
