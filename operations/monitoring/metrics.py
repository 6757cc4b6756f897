"""`/metrics` for Prometheus, behind METRICS_TOKEN: the same figures as the console's page, read when it is scraped.

Nothing is counted inside our processes. There are web processes that come and go and workers in other containers, so counters
would need files that all of them share and that outlive each; requests and their durations stand in nginx's log instead. Labels are
names of queues, states and places out of our code and configuration: never a person, an address, or an id.
"""

from collections.abc import Iterator

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.utils.translation import override
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from audit.services import record_after
from operations.monitoring import snapshot
from operations.monitoring.gauges import GAUGES, Reading

PREFIX = "aaperture_"
SCHEME = "Bearer "
# a worker's name is its host's: as a label it would be a new series for each container that ever was
NOT_EXPOSED = frozenset({"worker_silent_seconds"})


@login_not_required
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """404 without a METRICS_TOKEN, 401 without it in the request."""
    if not settings.METRICS_TOKEN:
        raise Http404
    given = request.headers.get("Authorization", "")
    if not (given.startswith(SCHEME) and constant_time_compare(given.removeprefix(SCHEME), settings.METRICS_TOKEN)):
        record_after(request, "permission.denied", method=request.method, view="metrics")
        return HttpResponse(status=401, headers={"WWW-Authenticate": 'Bearer realm="metrics"'}, content_type="text/plain")
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _Figures:
    """What prometheus-client asks for the families of one answer."""

    def collect(self) -> Iterator[Metric]:
        readings = snapshot.take()
        measured = GaugeMetricFamily(f"{PREFIX}measured", "Whether everything could be measured.", value=float(_is_whole(readings)))
        yield measured
        for name, gauge in GAUGES.items():
            if name not in NOT_EXPOSED:
                with override("en"):
                    yield _family(name, str(gauge.title), gauge.part, [one for one in readings if one.gauge.name == name])


def _family(name: str, title: str, part: str, readings: list[Reading]) -> Metric:
    family = GaugeMetricFamily(f"{PREFIX}{name}", title, labels=[part] if part else [])
    for one in readings:
        if one.value is not None:
            family.add_metric([one.part] if part else [], one.value)
    return family


def _is_whole(readings: list[Reading]) -> bool:
    return all(one.value is not None for one in readings)
