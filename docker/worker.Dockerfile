# Celery workers. Targets: `cpu` (base install) and `gpu` (CUDA base, torch extra).
FROM python:3.11-slim-bookworm AS cpu-build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
RUN python -m venv /opt/venv
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY shopvision ./shopvision
RUN /opt/venv/bin/pip install --quiet -c constraints.txt ".[s3]" "psycopg[binary]"

FROM python:3.11-slim-bookworm AS cpu
ENV PATH=/opt/venv/bin:$PATH OPENBLAS_NUM_THREADS=1 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 SHOPVISION_DEMO_DATA=/data
RUN useradd --create-home --uid 10001 shop && mkdir -p /data && chown shop:shop /data
COPY --from=cpu-build /opt/venv /opt/venv
WORKDIR /app
COPY manage.py ./
COPY demo_shop ./demo_shop
COPY templates ./templates
USER shop
VOLUME /data
HEALTHCHECK --interval=30s --timeout=15s --start-period=60s CMD ["celery", "-A", "demo_shop", "inspect", "ping", "--timeout", "10"]
CMD ["celery", "-A", "demo_shop", "worker", "-Q", "shopvision-cpu,shopvision-gpu", "--concurrency", "2", "--prefetch-multiplier", "1", "--loglevel", "INFO"]

# CUDA does not survive fork, so the worker runs its tasks in its own process (-P solo): one worker per GPU.
FROM nvidia/cuda:13.0.1-runtime-ubuntu24.04 AS gpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    PATH=/opt/venv/bin:$PATH SHOPVISION_DEMO_DATA=/data NVIDIA_VISIBLE_DEVICES=all
RUN apt-get update && apt-get install -y --no-install-recommends python3 python3-venv && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 10001 shop && mkdir -p /data && chown shop:shop /data && python3 -m venv /opt/venv
WORKDIR /app
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY shopvision ./shopvision
RUN /opt/venv/bin/pip install --quiet -c constraints.txt ".[torch,s3]" "psycopg[binary]"
COPY manage.py ./
COPY demo_shop ./demo_shop
COPY templates ./templates
USER shop
VOLUME /data
HEALTHCHECK --interval=30s --timeout=15s --start-period=120s CMD ["celery", "-A", "demo_shop", "inspect", "ping", "--timeout", "10"]
CMD ["celery", "-A", "demo_shop", "worker", "-Q", "shopvision-gpu", "-P", "solo", "--prefetch-multiplier", "1", "--loglevel", "INFO"]
