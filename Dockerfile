# The whole product in one image. It needs Go's image and a base image, and the Go module proxy; nothing is downloaded besides.
#
#   docker build -t customercenter .
#   docker build -t customercenter-tools --build-arg BASE=postgres:18 .    # with pg_dump and pg_restore, for backup and restore
#
# The program is static and has its time zones in it: BASE may be any Linux, with a shell or without.

ARG GO=golang:1.26
ARG BASE=debian:13-slim

FROM ${GO} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN ["go", "mod", "download"]
COPY . .
ENV CGO_ENABLED=0
RUN ["go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", "/out/usr/local/bin/customercenter", "./cmd/customercenter"]
# Whose directory it is goes into the volume that is mounted there first.
RUN ["mkdir", "-p", "/out/data"]
RUN ["cp", "--parents", "/etc/ssl/certs/ca-certificates.crt", "/out"]

FROM ${BASE}
COPY --from=build /out/usr/ /usr/
COPY --from=build /out/etc/ /etc/
COPY --from=build --chown=65532:65532 /out/data /data
ENV CUSTOMERCENTER_DATA=/data \
    CUSTOMERCENTER_LISTEN=0.0.0.0:8080 \
    CUSTOMERCENTER_WATCH_LISTEN=0.0.0.0:9090
USER 65532:65532
WORKDIR /data
VOLUME ["/data"]
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=10m --start-interval=2s --retries=3 CMD ["customercenter", "health"]
ENTRYPOINT ["customercenter"]
CMD ["serve"]
