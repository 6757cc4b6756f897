import sys
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection as database

from integrations import engine
from integrations.errors import NotConnected
from integrations.models import Pipeline, Run
from integrations.services import pipelines


class Command(BaseCommand):
    help = "Run one pipeline in this process and show its progress. Without an id, list the pipelines."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("pipeline", nargs="?", help="The pipeline's id.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["pipeline"]:
            for pipeline in Pipeline.objects.select_related("connection"):
                self.stdout.write(f"{pipeline.pk}  {pipeline.name}  {pipeline.connection.status}")
            return
        wanted = Pipeline.objects.filter(pk=options["pipeline"]).select_related("connection__owner").first()
        if wanted is None:
            raise CommandError("There is no such pipeline.")
        self.run(wanted)

    def run(self, pipeline: Pipeline) -> None:
        owner = pipeline.connection.owner
        if owner is None:
            raise CommandError("Pipelines of the instance are started in the console.")
        try:
            run = pipelines.start_run(pipeline, actor=owner, trigger=Run.Trigger.MANUAL)
        except NotConnected:
            raise CommandError("The connection holds no permission; its owner must connect again.") from None
        ended = threading.Event()
        watcher = threading.Thread(target=self.watch, args=(run, ended))
        watcher.start()
        try:
            engine.execute(run.pk)
        finally:
            ended.set()
            watcher.join()
        run.refresh_from_db()
        self.stdout.write(f"{run.status} {run.stop_reason} {run.counts}".strip())
        if run.status == Run.Status.FAILED:
            sys.exit(1)

    def watch(self, run: Run, ended: threading.Event) -> None:
        while not ended.wait(1):
            counts = Run.objects.values_list("counts", flat=True).get(pk=run.pk)
            self.stderr.write(f"\r{counts.get('read', 0)} of {counts.get('to_read', 0)} read", ending="")
        self.stderr.write("")
        database.close()
