"""Connections to other systems, what is done to what they give, and what it came to."""

from integrations.models.connections import REFRESH_AHEAD, Connection
from integrations.models.datasets import DatasetRow
from integrations.models.deliveries import Delivery
from integrations.models.files import SourceFile, SourcePiece
from integrations.models.pipelines import Pipeline, Run, RunEvent, validate_schedule
from integrations.models.transformations import Transformation, TransformationVersion

__all__ = [
    "REFRESH_AHEAD",
    "Connection",
    "DatasetRow",
    "Delivery",
    "Pipeline",
    "Run",
    "RunEvent",
    "SourceFile",
    "SourcePiece",
    "Transformation",
    "TransformationVersion",
    "validate_schedule",
]
