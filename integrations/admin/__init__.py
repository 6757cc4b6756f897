"""The operator console of pipelines. Of personal connections staff see status and counts, never more."""

from integrations.admin import connections, datasets, pipelines, runs, transformations, work

__all__ = ["connections", "datasets", "pipelines", "runs", "transformations", "work"]
