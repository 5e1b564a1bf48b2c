/**
 * What agents do: submit, look, wait, answer questions, add evidence, withdraw. A request is on the record when it is acknowledged, whether or not the engine
 * is there; one without a workflow is started by the reconciler.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { REQUEST_BYTES_MAX, RequestSchema } from '../../../domain/request';
import { readEvents } from '../../../record/store/entries';
import { theAgent, theCaller, type App, type Context } from '../app';
import { createDoor, DOORS, SUBMITS_MAX } from '../admission';
import { PATIENCE } from '../deps';
import { GatewayError } from '../gateway';
import { createLimiter } from '../limiter';
import { createOpening } from '../opening';
import { EVIDENCE_BODY_MAX } from '../limits';
import type { AgentMove } from '../moves';
import { presentRequest } from '../present';
import { ApiError, refused } from '../problems';
import { getApproval, standing } from '../reads';
import {
  ApprovalParams,
  EvidenceSchema,
  MovedSchema,
  PacketSchema,
  problems,
  ReplySchema,
  RequestStateSchema,
  StoredSchema,
  SubmittedSchema,
  TimelineSchema,
  WithdrawSchema,
} from '../schemas';
import { timelineFor } from '../sealed';
import { personOf } from '../../../domain/directory';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Submitted } from '../present';

const KEY = /^[\x21-\x7e]{1,200}$/;

/** The caller's key, printable and of bounded length. */
export function idempotencyKey(header: string | string[] | undefined): string {
  if (typeof header === 'string' && KEY.test(header)) return header;
  throw new ApiError(
    'idempotency_key_required',
    'Send an Idempotency-Key header of 1 to 200 printable characters; the same key with the same body is the same request',
  );
}

const resumesAsChild = (body: unknown): boolean => RequestSchema.safeParse(body).data?.resume.type === 'workflow';

export function requestRoutes(app: App, { deps, makeAgentMove }: Context): void {
  const { db, gateway, commit, log } = deps;
  const patience = deps.patience ?? PATIENCE;
  const enter = createDoor((deps.doors ?? DOORS).requests, 'requests of agents');
  const submits = createLimiter(SUBMITS_MAX);
  const opened = createOpening(db, patience.openMs);

  /** Starts the approval; a failure is the reconciler's to mend, not the caller's. */
  async function start(tenant: string, approvalId: string, lane: string, headline: string): Promise<void> {
    try {
      await gateway.startApproval({ tenant, approvalId, lane, headline }, patience.engineMs);
    } catch (error) {
      log.warn({ err: error, tenant, approvalId }, 'the approval is on the record but its workflow did not start; the reconciler will start it');
    }
  }

  /** Waits until the record says that it ended, or the time is up. */
  async function untilEnded(tenant: string, approvalId: string, forMs: number, open: () => boolean): Promise<boolean> {
    const deadline = Date.now() + forMs;
    for (let pause = 50; ; pause = Math.min(pause * 1.5, 500)) {
      if ((await standing(db, tenant, approvalId)).ended) return true;
      const left = deadline - Date.now();
      if (left <= 0 || !open()) return false;
      await sleep(Math.min(pause, left));
    }
  }

  app.post(
    '/v1/requests',
    {
      config: { who: 'agent' },
      bodyLimit: REQUEST_BYTES_MAX * 2,
      // Submit validates: its refusals name the fact, the evidence and the row, and one validator is enough.
      validatorCompiler: () => (value: unknown) => ({ value }),
      schema: {
        operationId: 'submitRequest',
        summary: 'Ask for an action',
        tags: ['agents'],
        security: [{ agentKey: [] }],
        headers: z.object({ 'idempotency-key': z.string().describe('1 to 200 printable characters; the identity of the request') }),
        body: RequestSchema,
        response: { 200: SubmittedSchema, 201: SubmittedSchema, ...problems },
      },
    },
    async (request, reply) => {
      const agent = theAgent(request);
      const body: unknown = request.body;
      const key = idempotencyKey(request.headers['idempotency-key']);
      const isOurs = !resumesAsChild(body);
      // In once to see by which policy, and once more when the providers that it names have been asked, which keeps nobody else out.
      const answer = await deps.submit(agent, key, body, (step) =>
        enter(
          () => submits.run('', step),
          async (taken) => {
            if ('answer' in taken && taken.answer.state === 'routing' && isOurs) await opened(agent.tenant, taken.answer.approvalId);
          },
        ),
      );
      if (answer.needsWorkflow && answer.result === null && isOurs) await start(agent.tenant, answer.approvalId, answer.plan.lane, answer.headline);
      const submitted: Submitted = {
        approval_id: answer.approvalId,
        tenant: agent.tenant,
        replayed: answer.replayed,
        state: answer.state,
        // What an agent's worker writes into the engine lies there in clear: it is not given the words.
        headline: deps.payloads?.encrypts && !isOurs ? `${answer.approvalId} (${answer.plan.lane})` : answer.headline,
        plan: { ...answer.plan },
        packet_digest: answer.packetDigest,
        action_digest: answer.actionDigest,
        meanwhile: answer.meanwhile,
        needs_workflow: answer.needsWorkflow,
        time_scale: deps.clock.scale,
        result: answer.result === null ? null : { ...answer.result },
      };
      return await reply
        .code(answer.replayed ? 200 : 201)
        .header('location', `/v1/requests/${answer.approvalId}`)
        .send(submitted);
    },
  );

  app.get(
    '/v1/requests/:id',
    {
      config: { who: 'caller' },
      schema: {
        operationId: 'getRequest',
        summary: 'Where it stands',
        tags: ['agents', 'people'],
        security: [{ agentKey: [] }, { session: [] }],
        params: ApprovalParams,
        querystring: z.object({ wait: z.coerce.number().min(0).max(30).default(0).describe('Seconds to wait for the end') }),
        response: { 200: RequestStateSchema, ...problems },
      },
    },
    async (request) => {
      const caller = theCaller(request);
      let approval = await getApproval(db, caller, request.params.id);
      if (!approval.ended && request.query.wait > 0) {
        const { socket } = request;
        await untilEnded(
          approval.tenant,
          approval.approvalId,
          Math.min(request.query.wait * 1000, patience.waitMs),
          () => !socket.destroyed && !deps.draining?.(),
        );
        approval = await getApproval(db, caller, request.params.id);
      }
      return presentRequest(approval, deps.publicUrl);
    },
  );

  app.get(
    '/v1/requests/:id/timeline',
    {
      config: { who: 'caller' },
      schema: {
        operationId: 'getTimeline',
        summary: 'What happened, in order',
        tags: ['agents', 'people'],
        security: [{ agentKey: [] }, { session: [] }],
        params: ApprovalParams,
        response: { 200: TimelineSchema, ...problems },
      },
    },
    async (request) => {
      const caller = theCaller(request);
      const approval = await getApproval(db, caller, request.params.id);
      const directory = await deps.directoryOf(approval.tenant);
      const name = (id: string): string => (directory ? (personOf(directory, id)?.name ?? id) : id);
      const entries = await readEvents(db, approval.tenant, approval.approvalId);
      return { approval_id: approval.approvalId, entries: timelineFor(entries, approval.plan, caller.kind === 'person' ? caller.person.id : null, name) };
    },
  );

  app.get(
    '/v1/requests/:id/packet',
    {
      config: { who: 'caller' },
      schema: {
        operationId: 'getPacket',
        summary: 'Everything the approver decides from',
        tags: ['agents', 'people'],
        security: [{ agentKey: [] }, { session: [] }],
        params: ApprovalParams,
        response: { 200: PacketSchema, ...problems },
      },
    },
    async (request) => {
      const approval = await getApproval(db, theCaller(request), request.params.id);
      return { packet_digest: approval.packetDigest, packet: { ...approval.packet }, plan: { ...approval.plan } };
    },
  );

  /** What the agent says about its own request: a signed command like a person's, answered in the same way. */
  async function say(request: FastifyRequest, reply: FastifyReply, id: string, move: AgentMove) {
    const agent = theAgent(request);
    const approval = await getApproval(db, theCaller(request), id);
    const given = request.headers['idempotency-key'];
    const moved = await makeAgentMove(agent, approval, move, given === undefined ? undefined : idempotencyKey(given));
    if (moved.status === 'stored') return await reply.code(202).send({ command_id: moved.commandId, status: 'stored' });
    const { answer, commandId } = moved;
    if (answer.refusal) throw refused(answer.refusal, commandId, answer.state);
    return await reply.code(200).send({ command_id: commandId, state: answer.state, seq: answer.seq });
  }

  app.post(
    '/v1/requests/:id/replies',
    {
      config: { who: 'agent' },
      schema: {
        operationId: 'reply',
        summary: 'Answer a question that was asked of the agent',
        tags: ['agents'],
        security: [{ agentKey: [] }],
        params: ApprovalParams,
        headers: z.object({ 'idempotency-key': z.string().optional() }),
        body: ReplySchema,
        response: { 200: MovedSchema, 202: StoredSchema, ...problems },
      },
    },
    (request, reply) => say(request, reply, request.params.id, { type: 'reply', ...request.body }),
  );

  app.post(
    '/v1/requests/:id/evidence',
    {
      config: { who: 'agent' },
      bodyLimit: EVIDENCE_BODY_MAX,
      schema: {
        operationId: 'addEvidence',
        summary: 'Add to what the approver decides from',
        tags: ['agents'],
        security: [{ agentKey: [] }],
        params: ApprovalParams,
        headers: z.object({ 'idempotency-key': z.string().optional() }),
        body: EvidenceSchema,
        response: { 200: MovedSchema, 202: StoredSchema, ...problems },
      },
    },
    (request, reply) => say(request, reply, request.params.id, { type: 'add_evidence', ...request.body }),
  );

  app.post(
    '/v1/requests/:id/withdraw',
    {
      config: { who: 'agent' },
      schema: {
        operationId: 'withdrawRequest',
        summary: 'The agent no longer asks',
        tags: ['agents'],
        security: [{ agentKey: [] }],
        params: ApprovalParams,
        body: WithdrawSchema,
        response: { 200: RequestStateSchema, 202: RequestStateSchema, ...problems },
      },
    },
    async (request, reply) => {
      const caller = theCaller(request);
      const { tenant, approvalId, ended } = await getApproval(db, caller, request.params.id);
      const message = { by: theAgent(request).agent, reason: request.body.reason };
      if (!ended) {
        try {
          await gateway.signalWithdraw(tenant, approvalId, message, patience.engineMs);
          await untilEnded(tenant, approvalId, patience.openMs, () => true);
        } catch (error) {
          if (!(error instanceof GatewayError)) throw error;
          // It only tightens, so it need not wait for the engine: the record has it, and the reconciler tells the workflow.
          await commit({ tenant, approvalId, seq: 0, command: { type: 'withdraw', ...message }, workflowTime: Date.now() });
        }
      }
      const after = await getApproval(db, caller, approvalId);
      return await reply.code(after.ended ? 200 : 202).send(presentRequest(after, deps.publicUrl));
    },
  );
}
