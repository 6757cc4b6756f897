# The production image: only what requirements.txt pins, no compiler, no test tools, no shell history, not root.
#
# The base is pinned by digest; Dependabot raises it. To look one up: docker buildx imagetools inspect python:3.11-alpine
FROM python:3.11-alpine@sha256:25976e9d34a0fab1f278cae931f34c8303d97bf0c0d7f85b6b4dcf641d7702a4 AS packages

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements.txt /build/
# Wheels only: every pinned package has one for Alpine, so nothing is compiled and no setup script runs.
RUN python -m venv /opt/aaperture \
    && /opt/aaperture/bin/pip install --only-binary=:all: --require-hashes --requirement /build/requirements.txt \
    && /opt/aaperture/bin/pip uninstall --yes setuptools pip


FROM python:3.11-alpine@sha256:25976e9d34a0fab1f278cae931f34c8303d97bf0c0d7f85b6b4dcf641d7702a4 AS application

COPY --from=packages /opt/aaperture /opt/aaperture
WORKDIR /srv/aaperture
COPY manage.py gunicorn.conf.py ./
COPY aaperture/ aaperture/
COPY vault/ vault/
COPY audit/ audit/
COPY accounts/ accounts/
COPY billing/ billing/
COPY integrations/ integrations/
COPY studio/ studio/
COPY documents/ documents/
COPY mailing/ mailing/
COPY tracker/ tracker/
COPY operations/ operations/
COPY templates/ templates/
COPY static/ static/
COPY locale/ locale/
ENV PATH=/opt/aaperture/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=random
# Static files get their hashed names here. The embedded development servers stay out: their packages are not installed either.
RUN AAPERTURE_STATE=/tmp/build DATABASE_URL=postgresql:///none REDIS_URL=unix:///none \
        python manage.py collectstatic --no-input --verbosity 0 \
    && mv /tmp/build/static staticfiles \
    && rm -rf /tmp/build aaperture/lib/embedded \
    && python -m compileall -q . \
    && addgroup -S -g 10001 aaperture \
    && adduser -S -D -H -u 10001 -G aaperture aaperture \
    && install -d -o 10001 -g 10001 -m 700 /var/lib/aaperture \
        /var/lib/aaperture/audit /var/lib/aaperture/backups /var/lib/aaperture/erasures
USER 10001:10001

EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.parse as p, urllib.request as r; r.urlopen(r.Request('http://127.0.0.1:8000/health/live', headers={'Host': p.urlsplit(os.environ['PUBLIC_URL']).hostname}), timeout=4)"]
# /dev/shm is writable in a read-only container; gunicorn's heartbeat files live there.
CMD ["gunicorn", "aaperture.wsgi", "--bind", "0.0.0.0:8000", "--workers", "3", "--threads", "4", "--worker-tmp-dir", "/dev/shm", "--no-control-socket", "--max-requests", "2000", "--max-requests-jitter", "200", "--log-level", "warning"]
