# The service: docker build -t churn-service .
# The jobs:    docker build -t churn-jobs --target jobs .
# How they are run: docs/service.md, "Container". `make image-check` builds and runs them.
ARG BASE_IMAGE=python:3.11-slim-bookworm


FROM ${BASE_IMAGE} AS base
# LightGBM's library needs libgomp1. The user has a name, as Java asks for one.
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends libgomp1 \
 && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* \
 && groupadd --gid 10001 churn \
 && useradd --uid 10001 --gid churn --home-dir /tmp --no-create-home --shell /usr/sbin/nologin churn
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    TZ=UTC \
    LAKEHOUSE=/lakehouse \
    MLFLOW_DISABLE_TELEMETRY=true \
    GIT_PYTHON_REFRESH=quiet \
    DO_NOT_TRACK=true


# pip writes the bytecode that a read-only file system can't have later. Nothing runs the
# packages' own tests, and nothing compiles against their headers.
FROM base AS service-packages
COPY requirements/service.lock /tmp/
RUN python -m venv --without-pip /opt/venv \
 && pip --python /opt/venv install --quiet --no-input --no-cache-dir \
    --disable-pip-version-check --root-user-action=ignore --only-binary :all: \
    --require-hashes -r /tmp/service.lock \
 && find /opt/venv \( -name tests -o -name include \) -type d -prune -exec rm -rf {} +


FROM base AS code
COPY churn_spark /app/churn_spark
COPY conf /app/conf
RUN chmod -R a+rX,go-w /app && python -m compileall -q /app


FROM base AS jobs-packages
COPY requirements/base.lock /tmp/
RUN python -m venv --without-pip /opt/venv \
 && pip --python /opt/venv install --quiet --no-input --no-cache-dir \
    --disable-pip-version-check --root-user-action=ignore --use-pep517 \
    --require-hashes -r /tmp/base.lock \
 && find /opt/venv/lib \( -name tests -o -name include \) -type d -prune -exec rm -rf {} +


# The Spark jars belong into the image: a night must not depend on a repository that may not
# answer, and a volume with them would be one more thing to keep in step with the code. The
# resolver runs on the Java of the wheel, which trusts whom this system trusts, and which stays
# here with all that the resolver writes beside the jars. With --build-arg STORE=s3a:// Hadoop's
# client for S3, 280 MB, is among them.
FROM jobs-packages AS jars
COPY requirements/java.lock /tmp/
RUN pip install --quiet --no-input --no-cache-dir --disable-pip-version-check \
    --root-user-action=ignore --target /opt/java --require-hashes -r /tmp/java.lock
COPY --from=code /app /app
ARG STORE=
RUN export PYTHONPATH=/app:/opt/java JAVA_TOOL_OPTIONS=-Duser.home=/opt \
    SPARK_LOCAL_HOSTNAME=localhost \
 && python -m churn_spark.runtime.jars \
 && python -m churn_spark.runtime.jars "${STORE}" \
 && chmod -R a+rX /opt/.ivy2/jars /opt/venv/churn_spark


FROM base AS jobs
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends openjdk-17-jre-headless \
 && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/*
COPY --from=jobs-packages /opt/venv /opt/venv
COPY --from=jars /opt/.ivy2/jars /opt/.ivy2/jars
COPY --from=jars /opt/venv/churn_spark/spark-jars*.txt /opt/venv/churn_spark/
COPY requirements/base.lock /opt/venv/churn_spark/installed.lock
COPY --from=code /app /app
COPY jobs /app/jobs
RUN chmod -R a+rX,go-w /app/jobs && python -m compileall -q /app/jobs
# Spark looks itself up by name, and a container's name is known to nobody.
ENV SPARK_LOCAL_HOSTNAME=localhost
USER 10001:10001
# MLflow makes a folder where it runs, whether or not it is needed.
WORKDIR /tmp
ENTRYPOINT ["python", "-m"]
CMD ["jobs.nightly", "--help"]


# Last, so that it is what is built unless another target is named.
FROM base AS service
COPY --from=service-packages /opt/venv /opt/venv
COPY --from=code /app /app
COPY jobs/__init__.py jobs/_command.py jobs/_options.py jobs/serve.py /app/jobs/
RUN chmod -R a+rX,go-w /app/jobs && python -m compileall -q /app/jobs
# Two arenas: what a thread has given back, another one takes.
ENV CHURN_HOST=0.0.0.0 \
    CHURN_PORT=8000 \
    MALLOC_ARENA_MAX=2
USER 10001:10001
WORKDIR /app
EXPOSE 8000
STOPSIGNAL SIGTERM
# Alive, not ready: a service that waits for its first champion must not be restarted for it.
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"CHURN_PORT\"]}/health', timeout=2)"]
ENTRYPOINT ["python", "-m", "jobs.serve"]
