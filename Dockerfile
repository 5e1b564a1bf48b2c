# One image for the programs of Countersign: API, worker, migrations, the command, the development mailbox.
# It holds no secret and no configuration: docker-compose.yml, or whatever runs it, gives both.
# The tag names an exact version; pin the digest as well where your registry shows it.

FROM node:22.23.3-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
# Of the locked packages, those that the programs need. TypeScript is loaded as it is (tsx): there is no build step to drift from.
RUN npm ci --omit=dev --no-audit --no-fund && npm cache clean --force

FROM packages AS bundle
COPY tsconfig.json ./
COPY domain domain
COPY workflows workflows
COPY activities activities
COPY policy policy
COPY record record
COPY workers workers
# The workflows as one script, the same bytes for every worker of this image.
RUN npm run build:workflows

FROM node:22.23.3-bookworm-slim
ENV NODE_ENV=production TZ=UTC PATH=/app/bin:$PATH
WORKDIR /app
COPY --from=packages /app/node_modules node_modules
COPY package.json tsconfig.json ./
COPY domain domain
COPY policy policy
COPY record record
COPY workflows workflows
COPY activities activities
COPY workers workers
COPY client client
COPY --from=bundle /app/dist dist
RUN mkdir bin && ln -s /app/client/cli/bin.cjs bin/countersign
# An ordinary user that comes with the base image; nothing under /app belongs to it.
USER node
# Programs stop in order on this: work that has begun comes to its end.
STOPSIGNAL SIGTERM
EXPOSE 8700
CMD ["node", "--import", "tsx", "client/api/main.ts"]
