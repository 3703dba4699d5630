FROM node:22-bookworm-slim AS console
WORKDIR /source/console
COPY console/package.json console/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY console/ ./
RUN npm run build

FROM python:3.12-slim-bookworm AS builder
# The compiler's version is the distribution's; nothing of it stays in the image.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
COPY --from=console /source/fastgw/console/dist fastgw/console/dist
RUN PIP_CONSTRAINT=/source/constraints.txt pip wheel --no-cache-dir --wheel-dir /wheels .

FROM python:3.12-slim-bookworm
COPY --from=builder /wheels /wheels
# The wheels are what the builder made; no index is asked.
# hadolint ignore=DL3013
RUN pip install --no-cache-dir --no-index --find-links /wheels fastgw \
    && rm -rf /wheels \
    && useradd --system --no-create-home --uid 10001 fastgw \
    && install -d -o fastgw -g fastgw /var/lib/fastgw /etc/fastgw
USER 10001
EXPOSE 8787
VOLUME /var/lib/fastgw
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8787/healthz', timeout=2)"]
ENTRYPOINT ["fastgw"]
CMD ["serve", "--listen", "0.0.0.0:8787", "--state", "/var/lib/fastgw", "--config", "/etc/fastgw/fastgw.toml"]
