"""Files of lines, read in parts: each line belongs to the part in which it starts."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from churn_spark.errors import DamagedFileError

_LINE_END: Final = re.compile(rb"[\r\n]")
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_STEP: Final = 4 << 20
_NEAR: Final = 8 << 10
_SMALL_STEP: Final = 512
_GZIP: Final = 16 + zlib.MAX_WBITS


@dataclass(frozen=True)
class ByteRange:
    """A part of a file that one task reads.

    Attributes:
        path: of the file, as listed.
        offset: of the first byte.
        length: in bytes; of a compressed file, which is read whole, that of the file.
        end: of what is read of the file; a line that goes on beyond is cut there.
    """

    path: str
    offset: int
    length: int
    end: int | None = None

    @property
    def is_compressed(self) -> bool:
        """Whether it is a gzip file, by its name."""
        return is_compressed(self.path)


@dataclass(frozen=True)
class Piece:
    """Some whole lines.

    Attributes:
        data: lines with their ends, LF, CRLF or CR; without a byte-order mark.
        n_cut: bytes that the last line has beyond these.
        offset: bytes of the file before these, of a compressed one of what it unpacks to.
    """

    data: bytes
    n_cut: int = 0
    offset: int = 0


def is_compressed(path: str) -> bool:
    """Whether a file is a gzip file, by its name."""
    return path.endswith(".gz")


def split_files(
    files: Iterable[tuple[str, int, int]],
    n_bytes: int,
    is_read_whole: Callable[[str], bool] = is_compressed,
) -> list[ByteRange]:
    """The parts of files, in their order; of an empty one there is none.

    Args:
        files: path as listed, the first byte that is read, which is 0 where it is read whole or
            begins a line, and the end.
        n_bytes: of a part, more than a byte-order mark has.
        is_read_whole: whether a file, by its path, has no parts.
    """
    return [
        part
        for path, begin, end in files
        for part in (
            [ByteRange(path, 0, end)] * (end > 0)
            if is_read_whole(path)
            else [
                ByteRange(path, offset, min(n_bytes, end - offset), end)
                for offset in range(begin, end, n_bytes)
            ]
        )
    ]


def read_plain(source: Any, part: ByteRange, longest: int) -> Iterator[Piece]:
    """The lines that start in the part of a file; none where all of it is inside one line.

    Args:
        source: the opened file, with `read_at`.
        part: of it.
        longest: of a line that goes on beyond the part, no more bytes than this are kept.
    """
    before = min(part.offset, 1)
    n_bytes, part_end = before + part.length, part.offset + part.length
    # All at once where the last line ends near: joining what was read apart copies all of it.
    line_end = _LINE_END.search(
        source.read_at(min(_NEAR, longest + 1, _step(part_end, part.end)), part_end)
    )
    rest = line_end.start() if line_end else 0
    data = source.read_at(n_bytes + rest, part.offset - before)
    start = len(BYTE_ORDER_MARK) * (part.offset == 0 and data.startswith(BYTE_ORDER_MARK))
    if before:
        end = _LINE_END.search(data, 0, n_bytes)
        start = end.end() if end else n_bytes
    if start >= min(n_bytes, len(data)):
        return
    offset = part.offset - before + start
    if data[n_bytes - 1 : n_bytes] in (b"\r", b"\n"):
        yield Piece(data[start:n_bytes], 0, offset)
    elif line_end:
        yield Piece(data[start:], 0, offset)
    else:
        tail, n_cut = _read_tail(source, part_end, part.end, longest)
        yield Piece(data[start:] + tail, n_cut, offset)


def read_gzip(source: Any, n_bytes: int, longest: int) -> Iterator[Piece]:
    """The lines of a gzip file.

    Args:
        source: the opened file, compressed.
        n_bytes: size of a piece, roughly.
        longest: of a longer line no more bytes than this are kept.

    Raises:
        DamagedFileError: where it is damaged; the whole lines before that were given.
    """
    rest, n_cut, offset = b"", 0, 0
    for number, chunk in enumerate(_gather(_decompress(source), n_bytes)):
        data = rest + chunk
        if not number and chunk.startswith(BYTE_ORDER_MARK):
            data, offset = data[len(BYTE_ORDER_MARK) :], len(BYTE_ORDER_MARK)
        if n_cut:
            end = _LINE_END.search(chunk)
            n_cut += end.start() if end else len(chunk)
            if not end:
                continue
            yield Piece(rest, n_cut, offset)
            offset += len(rest) + n_cut + len(end.group())
            n_cut, data = 0, chunk[end.end() :]
        cut = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        if cut:
            yield Piece(data[:cut], 0, offset)
        rest, offset = data[cut:], offset + cut
        if len(rest) > longest:
            rest, n_cut = rest[:longest], len(rest) - longest
    if rest:
        yield Piece(rest, n_cut, offset)


def read_chunks(source: Any, path: str) -> Iterator[bytes]:
    """All bytes of a file, unpacked where it is compressed.

    Args:
        source: the opened file.
        path: of it, as listed.

    Raises:
        DamagedFileError: where it is damaged; what comes before that was given.
    """
    if is_compressed(path):
        yield from _gather(_decompress(source), _STEP)
        return
    while chunk := source.read(_STEP):
        yield chunk


def _read_tail(source: Any, offset: int, end: int | None, longest: int) -> tuple[bytes, int]:
    """The rest of a line: at most `longest` bytes of it, and how many more it has."""
    kept, n_bytes = b"", 0
    while chunk := source.read_at(_step(offset + n_bytes, end), offset + n_bytes):
        line_end = _LINE_END.search(chunk)
        found = chunk[: line_end.start()] if line_end else chunk
        kept += found[: longest - len(kept)]
        n_bytes += len(found)
        if line_end:
            break
    return kept, n_bytes - len(kept)


def _step(offset: int, end: int | None) -> int:
    return _STEP if end is None else min(_STEP, end - offset)


def _gather(chunks: Iterable[bytes], n_bytes: int) -> Iterator[bytes]:
    """The same bytes in chunks of a size or more; what came before an error comes before it."""
    gathered: list[bytes] = []
    size = 0
    damage: DamagedFileError | None = None
    try:
        for chunk in chunks:
            gathered.append(chunk)
            size += len(chunk)
            if size >= n_bytes:
                yield b"".join(gathered)
                gathered, size = [], 0
    except DamagedFileError as error:
        damage = error
    if gathered:
        yield b"".join(gathered)
    if damage:
        raise damage


def _decompress(source: Any) -> Iterator[bytes]:
    """What a gzip file of one or several members holds, up to where it is damaged."""
    member, n_members, is_inside = zlib.decompressobj(_GZIP), 0, False
    while chunk := source.read(_STEP):
        while chunk:
            if n_members and not is_inside:
                # Zeros behind a member are padding, as of a tape.
                chunk = chunk.lstrip(b"\0")
                if not chunk:
                    break
            yield from _inflate(member, chunk)
            chunk, is_inside = member.unused_data, not member.eof
            if member.eof:
                member, n_members = zlib.decompressobj(_GZIP), n_members + 1
    if is_inside:
        raise DamagedFileError("the gzip file is truncated (incomplete)")


def _inflate(member: Any, chunk: bytes) -> Iterator[bytes]:
    """A chunk inflated; where it is damaged, what comes before, in small steps."""
    before = member.copy()
    try:
        yield member.decompress(chunk)
        return
    except zlib.error as error:
        problem = f"the compressed data are damaged: {error}"
    for at in range(0, len(chunk), _SMALL_STEP):
        try:
            yield before.decompress(chunk[at : at + _SMALL_STEP])
        except zlib.error:
            break
    raise DamagedFileError(problem)
