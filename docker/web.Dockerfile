# The shop's web process: base install, no torch. Build from the repository's root.
FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
RUN python -m venv /opt/venv
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY shopvision ./shopvision
RUN /opt/venv/bin/pip install --quiet -c constraints.txt ".[s3]" "psycopg[binary]" gunicorn

FROM python:3.11-slim-bookworm
ENV PATH=/opt/venv/bin:$PATH OPENBLAS_NUM_THREADS=1 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 SHOPVISION_DEMO_DATA=/data
RUN useradd --create-home --uid 10001 shop && mkdir -p /data && chown shop:shop /data
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY manage.py ./
COPY demo_shop ./demo_shop
COPY templates ./templates
USER shop
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/vision/api/v1/health/live/', timeout=2)"]
CMD ["gunicorn", "demo_shop.wsgi", "--bind", "0.0.0.0:8000", "--workers", "2", "--threads", "4", "--worker-class", "gthread"]
