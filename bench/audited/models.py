"""One small model four times: watched by nobody, by us, and by the two others."""

from django.conf import settings
from django.db import models

from aaperture.lib.uuid7 import uuid7


class Thing(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7)
    name = models.CharField(max_length=100)
    status = models.CharField(max_length=20)
    amount = models.IntegerField(default=0)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name


class Bare(Thing):
    pass


class Recorded(Thing):
    pass


class WatchedByAuditlog(Thing):
    pass


class WatchedByEasyAudit(Thing):
    pass


if settings.HAS_AUDITLOG:
    from auditlog.registry import auditlog

    auditlog.register(WatchedByAuditlog)
