# The image of Rapport, for linux/amd64 and linux/arm64: docker buildx build --platform linux/amd64,linux/arm64 .
# docs/docker.md says how to run it.

FROM python:3.11-slim AS build
WORKDIR /build
COPY requirements.lock pyproject.toml README.md LICENSE ./
COPY scripts/install scripts/install
COPY src src
RUN bash scripts/install python3 /opt/rapport release

FROM python:3.11-slim
LABEL org.opencontainers.image.title="Rapport" \
      org.opencontainers.image.description="What did this contact do, when? A server for email and landing page engagement." \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 rapport \
    && useradd --uid 10001 --gid rapport --no-create-home --home-dir /var/lib/rapport --shell /usr/sbin/nologin rapport \
    && install --directory --owner=rapport --group=rapport --mode=0700 /var/lib/rapport
COPY --from=build /opt/rapport /opt/rapport
ENV PATH="/opt/rapport/bin:$PATH" \
    PYTHONUNBUFFERED=1 \
    RAPPORT_DATA=/var/lib/rapport \
    RAPPORT_HOST=0.0.0.0
USER 10001:10001
WORKDIR /var/lib/rapport
VOLUME /var/lib/rapport
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
    CMD ["/opt/rapport/bin/python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ.get('RAPPORT_PORT', '8080')}/readyz\", timeout=8)"]
ENTRYPOINT ["rapport"]
CMD ["serve"]
