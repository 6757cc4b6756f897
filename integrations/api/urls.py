from django.urls import path

from integrations.api import connections, datasets, pipelines, runs, transformations

urlpatterns = [
    path("v1/connections", connections.Connections.as_view(), name="connections"),
    path("v1/connections/<uuid:pk>", connections.ConnectionDetail.as_view(), name="connection"),
    path("v1/connections/<uuid:pk>/test", connections.TestConnection.as_view(), name="connection_test"),
    path("v1/pipelines", pipelines.Pipelines.as_view(), name="pipelines"),
    path("v1/pipelines/<uuid:pk>", pipelines.PipelineDetail.as_view(), name="pipeline"),
    path("v1/pipelines/<uuid:pk>/run", pipelines.RunPipeline.as_view(), name="pipeline_run"),
    path("v1/pipelines/<uuid:pk>/cancel", pipelines.CancelPipeline.as_view(), name="pipeline_cancel"),
    path("v1/pipelines/<uuid:pk>/dry-run", pipelines.DryRunPipeline.as_view(), name="pipeline_dry_run"),
    path("v1/pipelines/<uuid:pk>/rows", datasets.Rows.as_view(), name="pipeline_rows"),
    path("v1/transformations", transformations.Transformations.as_view(), name="transformations"),
    path("v1/transformations/<uuid:pk>", transformations.TransformationDetail.as_view(), name="transformation"),
    path("v1/transformations/<uuid:pk>/versions", transformations.TransformationVersions.as_view(), name="transformation_versions"),
    path("v1/transformations/<uuid:pk>/test", transformations.TryTransformation.as_view(), name="transformation_test"),
    path("v1/transformations/<uuid:pk>/run", transformations.RunTransformation.as_view(), name="transformation_run"),
    path("v1/runs", runs.Runs.as_view(), name="runs"),
    path("v1/runs/<uuid:pk>", runs.RunDetail.as_view(), name="run"),
    path("v1/runs/<uuid:pk>/events", runs.RunEvents.as_view(), name="run_events"),
    path("v1/runs/<uuid:pk>/cancel", runs.CancelRun.as_view(), name="run_cancel"),
]
