# The server on Debian 12: built in one stage, run in another that has no compiler and no root.
FROM debian:12 AS build
WORKDIR /src
COPY tools/setup tools/setup
RUN tools/setup build
COPY . .
RUN make -j"$(nproc)" && make install PREFIX=/usr DESTDIR=/install

FROM debian:12-slim
COPY --from=build /src/tools/setup /usr/local/sbin/setup
RUN /usr/local/sbin/setup run && rm -rf /var/lib/apt/lists/* /usr/local/sbin/setup \
	&& groupadd --gid 10001 iscc-search \
	&& useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin iscc-search \
	&& install -d -o iscc-search -g iscc-search /data
COPY --from=build /install/usr/bin/iscc-search /usr/bin/iscc-search
USER iscc-search
WORKDIR /data
VOLUME /data
ENV ISCC_SEARCH_INDEX_URI=usearch:///data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=10s --start-period=5s --retries=3 \
	CMD curl -fsS -o /dev/null "http://127.0.0.1:${ISCC_SEARCH_PORT:-8000}/healthz"
# exec form: SIGTERM reaches the program, which ends its requests first.
CMD ["iscc-search", "serve", "--host", "0.0.0.0"]
