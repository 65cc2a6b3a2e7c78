"""A Parquet file -> a table, after its pages have said how much they unfold into.

What the file says of itself in its footer is the sender's word, and not what memory is taken by:
that is what the head of each page says. The format:
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from churn_spark.errors import RequestError
from churn_spark.serving import contract
from churn_spark.serving.batches.batch import BatchLimits
from churn_spark.serving.batches.from_columns import TEXTS, check_names
from churn_spark.serving.batches.thrift import Reader, Struct, ThriftError

_MAGIC: Final = b"PAR1"
# All features in ten row groups have 300 kB; a column of a row group takes half a kilobyte or more.
_MAX_FOOTER_BYTES: Final = 2**20
_MAX_GROUPS: Final = 100
_MAX_PAGES: Final = 10_000
_ABOUT: Final = {0: 5, 2: 7, 3: 8}
"""Kind of a page -> the field of its head that tells about it: values, dictionary, values anew."""
_SECOND_VERSION: Final = 8
# Plain, dictionary (two names) and split bytes: of the others a byte may be any number of texts.
_ENCODINGS: Final = frozenset({0, 2, 8, 9})


def read_parquet(body: bytes, limits: BatchLimits) -> pa.Table:
    """The rows of a file; texts as codes and a dictionary, however they were written.

    Raises:
        RequestError: if it has too many rows, unfolds into too much, or its columns don't fit.
    """
    try:
        _look_through(memoryview(body), limits)
    except (ThriftError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise RequestError(f"the body can't be read as Parquet: {error}") from None
    names = check_names(pq.read_schema(pa.BufferReader(body)))
    texts = [name for name in names if name in TEXTS]
    table = pq.ParquetFile(pa.BufferReader(body), read_dictionary=texts).read(names)
    table.validate(full=True)
    return table


def _look_through(body: memoryview, limits: BatchLimits) -> None:
    footer = _read_footer(body)
    groups: list[Struct] = footer.get(4, [])
    if len(groups) > _MAX_GROUPS or len(footer[2]) > contract.MAX_NAMES + 1:
        raise RequestError(
            f"found {len(groups):,} row groups and {len(footer[2]) - 1:,} columns, expected at "
            f"most {_MAX_GROUPS} and {contract.MAX_NAMES}, no column within another"
        )
    limits.check_rows(footer.i64(3))
    n_pages = n_bytes = n_rows = 0
    for group in groups:
        n_of_group = group.i64(3)
        n_rows += n_of_group
        limits.check_rows(n_rows)
        for column in group[1]:
            about: Struct = column[3]
            if about.i64(5) != n_of_group or n_of_group < 0:
                raise RequestError("found columns of different lengths, expected one row for each")
            for page in _pages(body, about):
                n_pages += 1
                n_bytes += page.i32(2)
                limits.check_bytes(n_bytes)
                _check_page(page, n_of_group)
                if n_pages > _MAX_PAGES:
                    raise RequestError(f"found more than {_MAX_PAGES:,} pages: send larger ones")
    if n_rows != footer.i64(3):
        raise RequestError(f"found {n_rows:,} rows, expected the {footer[3]:,} of the footer")


def _read_footer(body: memoryview) -> Struct:
    if len(body) < 12 or bytes(body[-4:]) != _MAGIC:
        raise ThriftError("it doesn't end as such a file")
    (size,) = struct.unpack_from("<I", body, len(body) - 8)
    if size > min(_MAX_FOOTER_BYTES, len(body) - 12):
        raise RequestError(
            f"found a footer of {size:,} bytes, expected at most {_MAX_FOOTER_BYTES:,}, and no "
            "more than the file: write fewer, larger row groups"
        )
    return Reader(body[len(body) - 8 - size : len(body) - 8]).struct()


def _pages(body: memoryview, about: Struct) -> Iterator[Struct]:
    """The head of each page of a column."""
    start, dictionary = about.i64(9), about.i64(11, 0)
    if 0 < dictionary < start:
        start = dictionary
    end = start + about.i64(7)
    if not 0 <= start <= end <= len(body):
        raise ThriftError("a column beyond the end of the file")
    while start < end:
        reader = Reader(body, start)
        page = reader.struct()
        if page.i32(2) < 0 or page.i32(3) < 0:
            raise ThriftError("a page of less than no bytes")
        yield page
        start = reader.at + page[3]


def _check_page(page: Struct, n_rows: int) -> None:
    """Refuse more values than rows, and values that are told by those before them."""
    told = _ABOUT.get(page.i32(1))
    if told is None or [field for field in _ABOUT.values() if field in page] != [told]:
        raise ThriftError("a page whose head doesn't fit its kind")
    about: Struct = page[told]
    encoding = about.i32(4 if told == _SECOND_VERSION else 2)
    if encoding not in _ENCODINGS:
        raise RequestError(
            f"found pages in encoding {encoding}, expected plain or dictionary, as most writers do"
        )
    if not 0 <= about.i32(1) <= n_rows:
        raise RequestError("found a page with more values than there are rows")
