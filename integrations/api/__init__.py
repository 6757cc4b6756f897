"""`/api/v1/` of connections, pipelines, transformations and runs.

Everybody sees their own. Staff see by the matrix what the instance owns, and of a member's own things status and counts;
to everybody else those do not exist.
"""
