/**
 * A person's move: stored and signed first, then handed to the workflow by its id, then answered from the record.
 * Promises: whatever the engine says, the answer is the record's; the same id is used for every try, so a move counts once;
 * when the time is up the caller gets the command's id to look later, never a guess.
 */
import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { issueCommand } from '../../activities/commands';
import { readAnswer } from '../../activities/commit';
import type { Move } from '../../domain/moves';
import type { CommandAnswer } from '../../workflows/protocol';
import { PATIENCE, type ApiDeps } from './deps';
import { createLimiter, IN_FLIGHT_MAX } from './limiter';
import { ApiError } from './problems';
import { standing, type ApprovalRow } from './reads';
import type { MoveInput } from './schemas';
import type { SignedIn } from './visibility';

type Moved =
  { readonly status: 'answered'; readonly commandId: string; readonly answer: CommandAnswer } | { readonly status: 'stored'; readonly commandId: string };

export type MakeMove = (viewer: SignedIn, approval: ApprovalRow, input: MoveInput, idempotencyKey: string | undefined) => Promise<Moved>;

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;

/** The same person, approval and key name the same command, in any process and at any time. */
export const commandIdOf = (tenant: string, approvalId: string, person: string, key: string): string =>
  createHash('sha256')
    .update(JSON.stringify([tenant, approvalId, person, key]))
    .digest('base64url');

/** A move without what the caller saw of the packet, which the command carries beside it. */
export function splitMove(input: MoveInput): { readonly move: Move; readonly packetDigest: string | null } {
  if (input.type === 'claim' || input.type === 'release') return { move: input, packetDigest: null };
  const { packet_digest: packetDigest, ...move } = input;
  return { move, packetDigest };
}

const sameMove = (a: Move, b: Move): boolean => a.type === b.type && JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort());

export function createMakeMove(deps: ApiDeps): MakeMove {
  const { db, gateway, commit, log } = deps;
  const patience = deps.patience ?? PATIENCE;
  const limiter = createLimiter(IN_FLIGHT_MAX);

  /** The first level opens moments after the submit; a move that comes in between waits for it instead of being refused. */
  async function untilOpened(approval: ApprovalRow, deadline: number): Promise<void> {
    for (let state = approval.state, pause = FIRST_PAUSE_MS; state === 'routing' && Date.now() < deadline; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      await sleep(pause);
      ({ state } = await standing(db, approval.tenant, approval.approvalId));
    }
  }

  /** What the record says: the stored answer, or for an approval that has ended, the one it gives now. */
  async function fromRecord(tenant: string, approvalId: string, commandId: string): Promise<CommandAnswer | null> {
    const stored = await readAnswer(db, tenant, commandId);
    if (stored) return stored.answer;
    const { ended } = await standing(db, tenant, approvalId);
    if (!ended) return null;
    // No workflow will take it any more. Sequence 0 adopts nothing: that is the workflow's to say.
    const { answer } = await commit({ tenant, approvalId, seq: 0, command: { type: 'command', commandId }, workflowTime: Date.now() });
    return answer;
  }

  async function answered(tenant: string, approvalId: string, commandId: string, deadline: number): Promise<CommandAnswer | null> {
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      const early = await fromRecord(tenant, approvalId, commandId);
      if (early) return early;
      const left = deadline - Date.now();
      if (left <= 0) return null;
      try {
        return await limiter.run(approvalId, () =>
          gateway.sendCommand(tenant, approvalId, commandId, Math.max(1, Math.min(patience.tryMs, deadline - Date.now()))),
        );
      } catch (error) {
        log.warn({ err: error, tenant, approvalId, commandId }, 'the engine did not answer a move; asking the record');
      }
      await sleep(Math.max(0, Math.min(pause, deadline - Date.now())));
    }
  }

  return async (viewer, approval, input, idempotencyKey) => {
    const { tenant, approvalId } = approval;
    const person = viewer.person.id;
    const { move, packetDigest } = splitMove(input);
    const commandId = idempotencyKey === undefined ? randomUUID() : commandIdOf(tenant, approvalId, person, idempotencyKey);
    const started = Date.now();
    await untilOpened(approval, started + patience.openMs);
    const stored = await issueCommand(deps, { tenant, approvalId, commandId, person, move, packetDigest, signedInAt: viewer.signedInAt });
    if (!sameMove(stored.move, move) || stored.packetDigest !== packetDigest) {
      throw new ApiError(
        'key_reused',
        `The Idempotency-Key was used for another move (${stored.move.type}) on this approval; two different moves need two keys`,
        { command_id: commandId },
      );
    }
    const answer = await answered(tenant, approvalId, commandId, started + patience.moveMs);
    return answer ? { status: 'answered', commandId, answer } : { status: 'stored', commandId };
  };
}
