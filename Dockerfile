# binraft in a container, on the runtime that RUNTIME names: node, bun or deno. docs/12-other-places.md
ARG RUNTIME=node

FROM node:24-bookworm-slim AS build
ARG RUNTIME
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.base.json tsconfig.build.json ./
COPY src src
COPY geo geo
COPY runtime runtime
COPY demo demo
RUN node_modules/.bin/tsc -p tsconfig.build.json
# Bun and Deno come with the development dependencies, Node from this image.
RUN mkdir bin && cp "$(node runtime/which.ts "$RUNTIME")" bin/
RUN npm ci --ignore-scripts --no-audit --no-fund --omit=dev --omit=optional

FROM debian:bookworm-slim
COPY --from=build /build/package.json /usr/lib/binraft/
COPY --from=build /build/node_modules /usr/lib/binraft/node_modules
COPY --from=build /build/dist /usr/lib/binraft/dist
COPY --from=build /build/bin /usr/lib/binraft/bin
COPY LICENSE runtime/container.sh /usr/lib/binraft/
RUN ln -s /usr/lib/binraft/container.sh /usr/local/bin/binraft
ENV BINRAFT_NODE_DATA_DIR=/data/binraft
VOLUME /data
EXPOSE 3307 4306 8306
STOPSIGNAL SIGTERM
# Begins as root to take the volume, and goes on as a user without any rights.
ENTRYPOINT ["binraft"]
CMD ["start"]
