/**
 * The codec endpoint, in the protocol of the Temporal UI and CLI: encrypted payloads go in, and come back as far as the caller may read them.
 *
 * It promises: operators and auditors alone, each their own tenant, to which every payload is bound; what they may not read comes back as
 * it was; nothing is logged but who and how many. Pages of one other origin may read the answers, the Temporal UI's. In development, where
 * anyone may sign in as anyone, it answers to this machine alone.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { CodecError } from '../../../activities/codec/errors';
import { theOperator, type App, type Context } from '../app';
import type { PayloadAccess } from '../deps';
import { ApiError } from '../problems';
import { problems } from '../schemas';

/** One page of a history, all its payloads together. */
const BODY_MAX = 8 * 1024 * 1024;
/** The UI asks for each event that it shows. */
const PER_MINUTE = 1_200;

const base64 = z.base64().max(4 * 1024 * 1024);
const PayloadSchema = z
  .object({ metadata: z.record(z.string().max(200), base64).default({}), data: base64.default('') })
  .meta({ id: 'Payload', description: 'As Temporal writes it in JSON: bytes in base64' });
const PayloadsSchema = z.object({ payloads: z.array(PayloadSchema).max(10_000).default([]) }).meta({ id: 'Payloads' });

type Wire = z.output<typeof PayloadSchema>;
type Payload = Parameters<PayloadAccess['cipher']['open']>[0];

const fromWire = ({ metadata, data }: Wire): Payload => ({
  metadata: Object.fromEntries(Object.entries(metadata).map(([name, value]) => [name, Buffer.from(value, 'base64')])),
  data: Buffer.from(data, 'base64'),
});

const text = (bytes: Uint8Array | null | undefined): string => Buffer.from(bytes ?? []).toString('base64');

const toWire = ({ metadata, data }: Payload): Wire => ({
  metadata: Object.fromEntries(Object.entries(metadata ?? {}).map(([name, value]) => [name, text(value)])),
  data: text(data),
});

export function codecRoutes(app: App, { deps }: Context): void {
  const { log } = deps;
  const access = deps.payloads ?? null;
  const ours = new URL(deps.publicUrl).origin;

  /** Refuses other pages and, in development, other machines; lets the UI's pages read what follows. */
  function admit(request: FastifyRequest, reply: FastifyReply): void {
    if (deps.development && !isLoopback(request.ip))
      throw new ApiError('forbidden', 'In development, where nobody checks who signs in, payloads are decoded for programs on this machine alone');
    const { origin } = request.headers;
    if (origin === undefined || origin === ours) return;
    if (origin !== access?.uiOrigin)
      throw new ApiError('forbidden', 'Pages of this origin may not read payloads; set COUNTERSIGN_TEMPORAL_UI_ORIGIN to where the Temporal UI is');
    reply.header('access-control-allow-origin', origin).header('access-control-allow-credentials', 'true').header('vary', 'origin');
  }

  /** What this tenant's operator may read of one payload; null: nothing. */
  function read(payload: Payload, tenant: string): Payload | null {
    try {
      const opened = access?.cipher.open(payload) ?? null;
      if (!opened) return payload;
      const whose = opened.tenant === '' ? access?.operatorTenant : opened.tenant;
      return whose === tenant ? opened.payload : null;
    } catch (error) {
      if (error instanceof CodecError) return null;
      throw error;
    }
  }

  const routes = {
    decode: (payload: Payload, tenant: string) => read(payload, tenant),
    encode: (payload: Payload, tenant: string) => (access?.encrypts ? access.cipher.seal(payload, tenant) : payload),
  } as const;

  for (const name of ['decode', 'encode'] as const) {
    app.options(`/codec/${name}`, { config: { who: 'public' }, schema: { hide: true } }, async (request, reply) => {
      admit(request, reply);
      await reply
        .code(204)
        .header('access-control-allow-methods', 'POST')
        .header('access-control-allow-headers', 'authorization, content-type, x-namespace')
        .header('access-control-max-age', '600')
        .send();
    });

    app.post(
      `/codec/${name}`,
      {
        config: { who: 'operator', rateLimit: { max: PER_MINUTE, timeWindow: '1 minute' } },
        bodyLimit: BODY_MAX,
        onRequest: (request, reply, done) => {
          admit(request, reply);
          done();
        },
        schema: {
          operationId: name === 'decode' ? 'decodePayloads' : 'encodePayloads',
          summary: name === 'decode' ? 'For the Temporal UI and CLI: read encrypted payloads' : 'For the Temporal UI and CLI: encrypt payloads',
          tags: ['people'],
          security: [{ session: [] }],
          body: PayloadsSchema,
          response: { 200: PayloadsSchema, ...problems },
        },
      },
      (request) => {
        const { tenant, person } = theOperator(request);
        const given = request.body.payloads;
        const done = given.map((wire) => routes[name](fromWire(wire), tenant));
        log.info({ tenant, person: person.id, payloads: given.length, withheld: done.filter((payload) => payload === null).length }, `payloads: ${name}`);
        return { payloads: done.map((payload, i) => (payload ? toWire(payload) : (given[i] as Wire))) };
      },
    );
  }
}

/** An address of this machine, in either family. */
const isLoopback = (ip: string): boolean => /^(::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(ip) || ip === '::1';
