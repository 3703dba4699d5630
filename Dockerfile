# The same sources make the same image: versions come from constraints.txt, times from SOURCE_DATE_EPOCH (of the commit, say
# --build-arg SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)). Who needs the base to the byte pins its digest here.
ARG PYTHON=3.12.12-slim-bookworm

FROM node:22.21.1-bookworm-slim AS console
WORKDIR /source/console
COPY console/package.json console/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY console/ ./
RUN npm run build

FROM python:${PYTHON} AS builder
# The compiler's version is the distribution's; nothing of it stays in the image.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
ARG SOURCE_DATE_EPOCH=1767225600
ENV SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH} PIP_CONSTRAINT=/source/constraints.txt PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /source
COPY . .
COPY --from=console /source/fastgw/console/dist fastgw/console/dist
# Byte code goes by what the sources are, not by when they were copied, and nothing looks at them again at the start.
# hadolint ignore=DL3013
RUN pip wheel --wheel-dir /wheels '.[control,redis,secrets]' \
    && python -m venv --without-pip /opt/fastgw \
    && pip --python /opt/fastgw/bin/python install --no-compile --no-index --find-links /wheels 'fastgw[control,redis,secrets]' \
    && python -m compileall -q --invalidation-mode unchecked-hash /opt/fastgw/lib \
    && install -d -o 10001 -g 10001 -m 0750 /state /state/fastgw

FROM python:${PYTHON}
COPY --from=builder /opt/fastgw /opt/fastgw
COPY --from=builder --chown=10001:10001 /state/fastgw /var/lib/fastgw
ENV PATH=/opt/fastgw/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/var/lib/fastgw
USER 10001:10001
EXPOSE 8787
VOLUME /var/lib/fastgw
# Lets requests end; a second one, or the runtime's patience, cuts them off.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8787/healthz', timeout=2)"]
ENTRYPOINT ["fastgw"]
CMD ["serve", "--listen", "0.0.0.0:8787", "--state", "/var/lib/fastgw", "--config", "/etc/fastgw/fastgw.toml"]
