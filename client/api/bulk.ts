/**
 * One act of a person on several approvals: which belong together, and how each is moved.
 * Promises: each is one signed command of its own with an answer of its own; what does not belong together moves none of them.
 * Must not read the store.
 */
import { createLimiter } from './limiter';
import type { Moved } from './moves';
import { ApiError } from './problems';
import type { ApprovalRow } from './reads';

/** Of one act at the same time: the others at the door do not wait for all of it. */
const AT_ONCE = 4;

const rowsOf = ({ plan }: Pick<ApprovalRow, 'plan'>): string =>
  plan.rows
    .map((row) => row.id)
    .sort()
    .join(', ');

type Similar = Pick<ApprovalRow, 'approvalId' | 'plan' | 'packet'>;

/** Why these are not similar enough for one act, in a sentence; null where they are. */
export function whyMixed(approvals: readonly Similar[]): string | null {
  const [first] = approvals;
  if (!first) return 'The batch is empty';
  const twice = approvals.find(({ approvalId }, i) => approvals.findIndex((a) => a.approvalId === approvalId) !== i);
  if (twice) return `${twice.approvalId} is named twice; name each approval once`;
  const choosing = approvals.find(({ plan }) => plan.offers?.options !== undefined);
  if (choosing) return `${choosing.approvalId} asks its approver to choose an option; decide it by itself`;
  const other = approvals.find((a) => a.packet.action.type !== first.packet.action.type || rowsOf(a) !== rowsOf(first));
  if (!other) return null;
  const what = ({ packet, plan }: Similar): string => `${packet.action.type} by ${rowsOf({ plan }) || 'no row'}`;
  return `One act is about approvals of one action type, matched by the same rows: ${first.approvalId} is ${what(first)}, ${other.approvalId} is ${what(other)}; send them apart`;
}

export interface BulkItem {
  readonly approval_id: string;
  readonly command_id: string | null;
  readonly status: 'accepted' | 'refused' | 'stored' | 'not_sent';
  readonly state: string | null;
  readonly seq: number | null;
  readonly problem: { readonly code: string; readonly detail: string } | null;
}

function answerOf(approvalId: string, moved: Moved): BulkItem {
  const base = { approval_id: approvalId, command_id: moved.commandId };
  if (moved.status === 'stored') return { ...base, status: 'stored', state: null, seq: null, problem: null };
  const { state, seq, refusal } = moved.answer;
  return refusal
    ? { ...base, status: 'refused', state, seq, problem: { code: refusal.code, detail: refusal.message } }
    : { ...base, status: 'accepted', state, seq, problem: null };
}

/** Moves each; one that cannot even be stored says why, and the others go on. */
export async function moveMany(
  approvals: readonly ApprovalRow[],
  deadline: number,
  move: (approval: ApprovalRow, deadline: number) => Promise<Moved>,
): Promise<BulkItem[]> {
  const limiter = createLimiter(AT_ONCE);
  return await Promise.all(
    approvals.map((approval) =>
      limiter.run('', async (): Promise<BulkItem> => {
        const { approvalId } = approval;
        try {
          return answerOf(approvalId, await move(approval, deadline));
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
          return {
            approval_id: approvalId,
            command_id: null,
            status: 'not_sent',
            state: null,
            seq: null,
            problem: { code: error.code, detail: error.message },
          };
        }
      }),
    ),
  );
}
