"""The files of any storage as Arrow reaches them, by the client that deltalake has inside."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from deltalake.fs import DeltaStorageHandler


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
