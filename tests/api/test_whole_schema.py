"""schemathesis over the whole description, with all its checks, as a member and as an administrator (R-129).

`SCHEMATHESIS_SECONDS=600` looks longer than the half a minute a role has here.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.utils.module_loading import import_string

from aaperture.lib.api import throttling
from aaperture.lib.limits import Limit
from aaperture.lib.mime import Mail
from accounts.api.documentation import description
from tests.accounts.people import make_user
from tests.api.caller import with_token
from tests.api.things import someones_things
from tests.audit.watching import watch

SECONDS = int(os.environ.get("SCHEMATHESIS_SECONDS", "30"))
ENDS_ITSELF = ["/api/auth/logout", "/api/v1/sessions/{id}"]  # the run could end the session it calls with; tested elsewhere
# where more decides than a description can say: how strong a password is, whether an address is taken, whether an id exists,
# which settings a provider asks for, whether a sample is of the kind that the steps are for
BEYOND_THE_DESCRIPTION = [
    "POST /api/auth/register", "POST /api/v1/users", "POST /api/v1/pipelines", "PATCH /api/v1/pipelines/{id}",
    "POST /api/v1/transformations", "PATCH /api/v1/transformations/{id}", "POST /api/v1/admin/keys/rotate",
    "POST /api/v1/admin/backups", "POST /api/v1/connections", "PATCH /api/v1/connections/{id}", "POST /api/v1/transformations/{id}/test",
]  # fmt: skip
CONFIGURATION = """
suppress-health-check = ["all"]
[generation]
allow-x00 = false
""" + "".join(
    f"""
[[operations]]
include-name = "{name}"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "401", "403", "404", "409", "429"]
"""
    for name in BEYOND_THE_DESCRIPTION
)


@pytest.mark.slow
@pytest.mark.parametrize("role", ["member", "admin"])
def test_no_answer_is_an_error_of_ours_or_undocumented(role, transactional_db, live_server, monkeypatch, tmp_path):
    monkeypatch.setattr(throttling, "API_LIMIT", Limit(1_000_000))
    description()
    unrecorded = watch(monkeypatch)
    import_string(settings.PIPELINE_CLASSIFIER)(Mail("a@example.test", (), "Hello", "Hello", {}))  # its tables are read once
    user = make_user(role=role)
    someones_things(user)
    caller = with_token(user, stepped_up=True)
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
    program = str(Path(sys.executable).with_name("schemathesis"))
    arguments = ["run", f"{live_server.url}/api/schema", "-H", f"Authorization: {caller.headers['Authorization']}", "--checks", "all"]
    arguments += ["--max-time", str(SECONDS), "--continue-on-failure", "--no-shrink", "--warnings", "off", "--seed", "7"]
    for path in ENDS_ITSELF:
        arguments += ["--exclude-path", path]
    environment = os.environ | {"NO_COLOR": "1"}
    done = subprocess.run([program, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert not unrecorded, "written without a record"
    assert done.returncode == 0, done.stdout[-30_000:] + done.stderr[-2_000:]
