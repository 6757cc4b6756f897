"""Files that somebody brings: sealed piece by piece while they come in, read piece by piece, gone when they have been read.

Neither the whole of a file nor any of it in clear is ever on a disk: what has come in is held until a piece is full, and then sealed.
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import User
from audit.services import record
from integrations.connectors.csv_upload import DELIMITERS
from integrations.csv_table import BadTable, Sniffer, Table
from integrations.errors import NotConnected, Refused
from integrations.models import Connection, Pipeline, Run, SourceFile, SourcePiece
from integrations.services import pipelines
from vault import services as vault

LARGEST = 100 * 1024 * 1024
PIECE = 512 * 1024
MOST_WAITING = 5  # files of one connection


class FileRefused(ValueError):
    """`code` has words in `integrations.wording`; `place` is the row, or the row and column."""

    def __init__(self, code: str, place: str = "") -> None:
        self.code = code
        self.place = place
        super().__init__(code)


def _associated(file_id: Any, number: int) -> str:
    """What a piece is bound to: none can be moved, or taken for another file's."""
    return f"integrations_sourcepiece|content|{file_id}|{number}"


@transaction.atomic
def _place_among_the_waiting(connection: Connection, actor: User) -> SourceFile:
    """Counted and made under the connection's lock, so that two that come at once do not both take the last place. Raises FileRefused."""
    Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
    if SourceFile.objects.filter(connection=connection).count() >= MOST_WAITING:
        raise FileRefused("file_too_many")
    return SourceFile.objects.create(connection=connection, uploaded_by=actor)


class Intake:
    """A file on its way in. Whoever makes one calls `end()`, or `abandon()` when it does not come to that."""

    def __init__(self, connection: Connection, *, actor: User) -> None:
        """Raises FileRefused, NotConnected."""
        if connection.status != Connection.Status.ACTIVE:
            raise NotConnected(connection.error_code)
        self.row = _place_among_the_waiting(connection, actor)
        self.connection = connection
        self.actor = actor
        self.size = 0
        self._number = 0
        self._buffer = bytearray()
        self._sniffer = Sniffer()

    def write(self, data: bytes) -> None:
        """Raises FileRefused."""
        self.size += len(data)
        if self.size > LARGEST:
            raise FileRefused("file_too_large")
        try:
            self._sniffer.look(data)
        except BadTable as error:
            raise FileRefused(error.code, error.place) from None
        self._buffer += data
        while len(self._buffer) >= PIECE:
            self._keep(bytes(self._buffer[:PIECE]))
            del self._buffer[:PIECE]

    def end(self, *, request: HttpRequest | None = None) -> list[Run]:
        """All of it is there: read its headings, and queue a run of every pipeline that reads it. Raises FileRefused."""
        if self._buffer:
            self._keep(bytes(self._buffer))
        try:
            self._look_at_headings()
        except BadTable as error:
            raise FileRefused(error.code, error.place) from None
        with transaction.atomic():
            reading = list(self.connection.pipelines.filter(enabled=True))
            if not reading:
                raise FileRefused("file_no_pipeline")
            self.row.waiting, self.row.size, self.row.arrived_at = [str(one.pk) for one in reading], self.size, timezone.now()
            self.row.save(update_fields=["waiting", "size", "encoding", "arrived_at"])
            record("source_file.received", self.connection, actor=self.actor, request=request, size=self.size)
            return [pipelines.queue_run(one, trigger=Run.Trigger.ARRIVAL, requested_by=self.actor)[0] for one in reading]

    def abandon(self) -> None:
        self._buffer.clear()
        self.row.delete()

    def _keep(self, piece: bytes) -> None:
        sealed = vault.seal(piece, self.connection.key_owner, _associated(self.row.pk, self._number))
        SourcePiece.objects.create(file=self.row, number=self._number, content=sealed)
        self._number += 1

    def _look_at_headings(self) -> None:
        """Raises BadTable."""
        config = self.connection.config
        self.row.encoding = self._sniffer.end(config.get("encoding", "auto"))
        table = Table(HeldUpload(self.row).pieces(), self.row.encoding, delimiter=DELIMITERS.get(config.get("delimiter", ""), ""))
        headings = table.headings()
        if (name := config.get("id")) and name not in headings:
            raise BadTable("csv_no_id_column")
        if next(table.rows(), None) is None:
            raise BadTable("csv_no_rows")


class HeldUpload:
    """`connectors.base.HeldFile`: one file as one pipeline, or a test of the connection, reads it."""

    def __init__(self, row: SourceFile, pipeline: Pipeline | None = None) -> None:
        self.row = row
        self.name, self.encoding = str(row.pk), row.encoding
        self._pipeline = pipeline

    def pieces(self, place: int = 0) -> Iterator[bytes]:
        """From byte `place` on, one piece in memory at a time. Raises SealedDataError, and Refused where the file has gone meanwhile."""
        number, skip = divmod(place, PIECE)
        while (found := self.row.pieces.filter(number=number).values_list("content", flat=True).first()) is not None:
            piece = vault.open_sealed(bytes(found), self.row.connection.key_owner, _associated(self.row.pk, number))
            yield piece[skip:] if skip else piece
            number, skip = number + 1, 0
        if number * PIECE < self.row.size:  # a file that is swept while it is read is no file that ends here
            raise Refused("file_missing")

    def settle(self) -> None:
        """The pipeline has read it, or cannot; when all have, it goes."""
        if self._pipeline is None:
            return
        with transaction.atomic():
            row = SourceFile.objects.select_for_update().filter(pk=self.row.pk).first()
            if row is None:
                return
            live = {str(pk) for pk in Pipeline.objects.filter(pk__in=row.waiting).values_list("pk", flat=True)}
            row.waiting = [pk for pk in row.waiting if pk in live and pk != str(self._pipeline.pk)]
            if row.waiting:
                row.save(update_fields=["waiting"])
            else:
                row.delete()


def held(connection: Connection, pipeline: Pipeline | None) -> HeldUpload | None:
    """The oldest file that the pipeline has still to read; without a pipeline the newest that lies here."""
    if pipeline is not None:
        row = SourceFile.objects.waiting_for(pipeline).select_related("connection").first()
    else:
        row = SourceFile.objects.arrived().filter(connection=connection).select_related("connection").order_by("-arrived_at").first()
    return HeldUpload(row, pipeline) if row else None


def sweep() -> int:
    """Delete what never arrived whole, or lies longer than a day; how many."""
    return SourceFile.objects.abandoned(timezone.now()).delete()[1].get("integrations.SourceFile", 0)


def waiting_pipelines() -> set[UUID]:
    """Those that have a file to read."""
    found = SourceFile.objects.arrived().values_list("waiting", flat=True)[:1000]
    return {UUID(pk) for pks in found for pk in pks}
