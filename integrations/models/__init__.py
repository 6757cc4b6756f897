"""Connections to other systems, what is done to what they give, and what it came to."""

from integrations.models.connections import REFRESH_AHEAD, Connection
from integrations.models.datasets import DatasetRow
from integrations.models.pipelines import Pipeline, Run, RunEvent, Transformation, validate_schedule

__all__ = ["REFRESH_AHEAD", "Connection", "DatasetRow", "Pipeline", "Run", "RunEvent", "Transformation", "validate_schedule"]
