/**
 * What people do: list what they may see, move one or several similar ones, look up a move's answer; tickets and deliveries. Nothing here
 * decides on a GET.
 */
import { createHash, randomUUID } from 'node:crypto';
import { z } from 'zod';
import { readAnswer } from '../../../activities/commit';
import { thePerson, type App, type Context } from '../app';
import { moveMany, whyMixed } from '../bulk';
import { PATIENCE } from '../deps';
import { presentApproval } from '../present';
import { ApiError, notFound, refused } from '../problems';
import { getApproval, getApprovals, listApprovals, listDeliveries, listTickets } from '../reads';
import {
  ApprovalParams,
  ApprovalsSchema,
  BulkMovedSchema,
  BulkSchema,
  CommandSchema,
  DeliveriesSchema,
  MovedSchema,
  MoveSchema,
  PagingQuery,
  problems,
  StoredSchema,
  TicketsSchema,
  type BulkInput,
  type MoveInput,
} from '../schemas';
import { idempotencyKey } from './requests';

const session = [{ session: [] }];
const word = z.string().max(100).optional();

export function approvalRoutes(app: App, { deps, makeMove }: Context): void {
  const { db } = deps;
  const patience = deps.patience ?? PATIENCE;

  app.get(
    '/v1/approvals',
    {
      config: { who: 'person' },
      schema: {
        operationId: 'listApprovals',
        summary: 'What you may see, newest first',
        tags: ['people'],
        security: session,
        querystring: z.object({
          state: word,
          lane: word,
          mine: z.enum(['true', 'false']).default('false').describe('Only what waits on you now'),
          ...PagingQuery,
        }),
        response: { 200: ApprovalsSchema, ...problems },
      },
    },
    async (request) => {
      const { mine, ...query } = request.query;
      const { items, nextCursor } = await listApprovals(db, thePerson(request), { ...query, mine: mine === 'true' });
      return { items: items.map((a) => presentApproval(a, deps.publicUrl)), next_cursor: nextCursor };
    },
  );

  app.post(
    '/v1/approvals/:id/moves',
    {
      config: { who: 'person' },
      schema: {
        operationId: 'move',
        summary: 'Claim, decide, ask, comment, give it to somebody else, take over, operate',
        tags: ['people'],
        security: session,
        params: ApprovalParams,
        headers: z.object({ 'idempotency-key': z.string().optional() }),
        body: MoveSchema,
        response: { 200: MovedSchema, 202: StoredSchema, ...problems },
      },
    },
    async (request, reply) => {
      const viewer = thePerson(request);
      const approval = await getApproval(db, { kind: 'person', ...viewer }, request.params.id);
      const given = request.headers['idempotency-key'];
      const moved = await makeMove(viewer, approval, request.body, given === undefined ? undefined : idempotencyKey(given));
      if (moved.status === 'stored') return await reply.code(202).send({ command_id: moved.commandId, status: 'stored' });
      const { answer } = moved;
      if (answer.refusal) throw refused(answer.refusal, moved.commandId, answer.state);
      return await reply.code(200).send({ command_id: moved.commandId, state: answer.state, seq: answer.seq });
    },
  );

  app.post(
    '/v1/approvals/bulk',
    {
      config: { who: 'person' },
      schema: {
        operationId: 'moveMany',
        summary: 'One act on several similar approvals',
        tags: ['people'],
        security: session,
        headers: z.object({ 'idempotency-key': z.string().optional() }),
        body: BulkSchema,
        response: { 200: BulkMovedSchema, ...problems },
      },
    },
    async (request) => {
      const viewer = thePerson(request);
      const { items, move } = request.body;
      const given = request.headers['idempotency-key'];
      const key = given === undefined ? undefined : idempotencyKey(given);
      const approvals = await getApprovals(
        db,
        viewer,
        items.map((item) => item.approval_id),
      );
      const why = whyMixed(approvals);
      if (why !== null) throw new ApiError('mixed_batch', why);
      // The same key is the same act.
      const bulk =
        key === undefined
          ? randomUUID()
          : createHash('sha256')
              .update(JSON.stringify([viewer.tenant, viewer.person.id, key]))
              .digest('base64url');
      const digests = new Map(items.map((item) => [item.approval_id, item.packet_digest]));
      const moved = await moveMany(approvals, Date.now() + patience.moveMs, (approval, deadline) =>
        makeMove(viewer, approval, withDigest(move, digests.get(approval.approvalId) ?? ''), key, { bulk, deadline }),
      );
      return { bulk, items: moved };
    },
  );

  app.get(
    '/v1/commands/:id',
    {
      config: { who: 'person' },
      schema: {
        operationId: 'getCommand',
        summary: 'How a move of yours was answered',
        tags: ['people'],
        security: session,
        params: ApprovalParams,
        response: { 200: CommandSchema, ...problems },
      },
    },
    async (request) => {
      const { tenant, person } = thePerson(request);
      const stored = await db
        .selectFrom('commands')
        .select(['approval_id', 'body'])
        .where('tenant', '=', tenant)
        .where('command_id', '=', request.params.id)
        .where('person', '=', person.id)
        .executeTakeFirst();
      if (!stored) throw notFound('command');
      const answer = (await readAnswer(db, tenant, request.params.id))?.answer;
      const base = { command_id: request.params.id, approval_id: stored.approval_id };
      if (!answer) return { ...base, status: 'stored' as const, state: null, seq: null, refusal: null };
      return { ...base, status: answer.accepted ? ('accepted' as const) : ('refused' as const), state: answer.state, seq: answer.seq, refusal: answer.refusal };
    },
  );

  app.get(
    '/v1/tickets',
    {
      config: { who: 'person' },
      schema: {
        operationId: 'listTickets',
        summary: 'Tickets, cases and incidents for manual review',
        tags: ['people'],
        security: session,
        querystring: z.object({ state: word, ...PagingQuery }),
        response: { 200: TicketsSchema, ...problems },
      },
    },
    async (request) => {
      const { items, nextCursor } = await listTickets(db, thePerson(request), request.query);
      return {
        items: items.map(({ ticket_id, approval_id, kind, queue, owner, title, evidence, state, created_at }) => ({
          ticket_id,
          approval_id,
          kind,
          queue,
          owner,
          title,
          evidence: [...evidence],
          state,
          created_at,
        })),
        next_cursor: nextCursor,
      };
    },
  );

  app.get(
    '/v1/deliveries',
    {
      config: { who: 'person' },
      schema: {
        operationId: 'listDeliveries',
        summary: 'Messages, tickets and callbacks owed, and how they stand',
        tags: ['people'],
        security: session,
        querystring: z.object({ status: word, kind: word, ...PagingQuery }),
        response: { 200: DeliveriesSchema, ...problems },
      },
    },
    async (request) => {
      const { items, nextCursor } = await listDeliveries(db, thePerson(request), request.query);
      return {
        items: items.map(({ approval_id, owed_id, kind, target, status, attempts, last_detail, next_at, channel, reached, created_at, updated_at }) => ({
          approval_id,
          owed_id,
          kind,
          target,
          status,
          attempts,
          last_detail,
          next_at,
          channel,
          reached,
          created_at,
          updated_at,
        })),
        next_cursor: nextCursor,
      };
    },
  );
}

/** Only moves that decide name what their maker saw. */
const withDigest = (move: BulkInput['move'], digest: string): MoveInput =>
  move.type === 'approve' || move.type === 'deny' ? { ...move, packet_digest: digest } : move;
