"""The files of any storage as Arrow reaches them, by the client that deltalake has inside."""

from __future__ import annotations

from functools import reduce
from operator import and_
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.fs import DeltaStorageHandler
from pyarrow import dataset, fs


class WritableHandler(DeltaStorageHandler):
    """deltalake's, which takes nothing but bytes, where Arrow has buffers to write."""

    def open_output_stream(self, path: str, metadata: dict[str, str] | None = None) -> Any:
        """A stream to a file; the file appears when the stream is closed."""
        return pa.PythonFile(_TakesBuffers(self._handler.open_output_stream(path, metadata)))


class _TakesBuffers:
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, data: Any) -> int:
        return int(self._stream.write(bytes(data)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def open_dataset(delta: DeltaTable, files: fs.FileSystem | None = None) -> dataset.Dataset:
    """The rows of a table, by need.

    deltalake's own says of a column whose range isn't in the log, as of the texts in our files
    (`data_files`), that it goes from null to null, and Arrow finds no row in there: by `==` none,
    and by `is_in` none in its newer releases. So of what it says of a file only the partition is
    kept; Parquet's own ranges are still used.

    Args:
        delta: the table.
        files: where its folder is the root; deltalake's own where it is missing.
    """
    told = delta.to_pyarrow_dataset(filesystem=files)
    columns = delta.metadata().partition_columns

    def without_ranges(file: dataset.ParquetFileFragment) -> dataset.ParquetFileFragment:
        values = dataset.get_partition_keys(file.partition_expression)
        fits = (_is(told.schema.field(name), values[name]) for name in columns)
        partition = reduce(and_, fits, dataset.scalar(True))
        return told.format.make_fragment(file.path, file.filesystem, partition)

    fragments = [without_ranges(file) for file in told.get_fragments()]
    return dataset.FileSystemDataset(fragments, told.schema, told.format, told.filesystem)


def _is(field: pa.Field, value: Any) -> dataset.Expression:
    column = dataset.field(field.name)
    return column.is_null() if value is None else column == pa.scalar(value, field.type)
