# What serves pages, imports notes, builds datasets, sweeps and migrates: no model runtime. Context: the repository.
FROM python:3.11.14-slim-bookworm AS build
WORKDIR /app
COPY docker/web.lock ./
RUN python -m venv /venv \
 && /venv/bin/python -m pip install --no-cache-dir --no-input --only-binary :all: --require-hashes -r web.lock
COPY manage.py ./
COPY templates templates
COPY static static
COPY annotator annotator
RUN MARGINALIA_DATA=/tmp/data STATIC_ROOT=/static /venv/bin/python manage.py collectstatic --no-input \
 && /venv/bin/python -m compileall -q annotator \
 && chmod -R a+rX /app /static /venv

FROM python:3.11.14-slim-bookworm
RUN groupadd --gid 10001 marginalia \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin marginalia \
 && install -d -m 0700 -o 10001 -g 10001 /data /data/models
COPY --from=build /venv /venv
COPY --from=build /static /static
COPY --from=build /app /app
ENV PATH=/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MARGINALIA_DATA=/data \
    STATIC_ROOT=/static
WORKDIR /app
USER 10001:10001
ENTRYPOINT ["python", "manage.py"]
CMD ["serve", "web", "--host", "0.0.0.0"]
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["python", "-m", "annotator.alive", "web"]
