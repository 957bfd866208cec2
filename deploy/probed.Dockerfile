# syntax=docker/dockerfile:1

# Adds wget, for the health check, and a data directory that belongs to the image's user to
# an image without a shell or an HTTP client.
ARG BASE

FROM busybox:1.38.0-musl AS tools
RUN mkdir /data && chown 10001:10001 /data

FROM ${BASE}
ARG DATA=/data
COPY --from=tools /bin/busybox /bin/wget
COPY --from=tools --chown=10001:10001 /data ${DATA}
