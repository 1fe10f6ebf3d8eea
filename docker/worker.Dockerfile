# What reads notes with a model and routes what it found. Context: the repository.
FROM python:3.11.14-slim-bookworm AS build
WORKDIR /app
COPY docker/worker.lock ./
RUN python -m venv /venv \
 && /venv/bin/python -m pip install --no-cache-dir --no-input --only-binary :all: --require-hashes -r worker.lock
COPY manage.py ./
COPY annotator annotator
COPY llm_labeler llm_labeler
# Gemma's weights are under its Terms of Use, which the build prints: https://ai.google.dev/gemma/terms
ARG LABELER=spacy
ENV MARGINALIA_CACHE=/models
RUN mkdir /models \
 && if [ "$LABELER" = gemma ]; then /venv/bin/python -m llm_labeler.fetch gemma; fi \
 && /venv/bin/python -m compileall -q annotator llm_labeler \
 && chmod -R a+rX /app /venv /models

FROM python:3.11.14-slim-bookworm
RUN groupadd --gid 10001 marginalia \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin marginalia \
 && install -d -m 0700 -o 10001 -g 10001 /data /data/models
COPY --from=build /venv /venv
COPY --from=build /app /app
COPY --from=build /models /models
ENV PATH=/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MARGINALIA_DATA=/data \
    MARGINALIA_CACHE=/models
WORKDIR /app
USER 10001:10001
ENTRYPOINT ["python", "manage.py"]
CMD ["serve", "label-worker"]
HEALTHCHECK --interval=60s --timeout=15s --start-period=60s CMD ["python", "-m", "annotator.alive", "worker", "label-1"]
