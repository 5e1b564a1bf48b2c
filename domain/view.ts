/**
 * What the workflow needs to know after a commit: plain data, small, made from the state.
 * Pure: imports only from domain.
 */
import { channelsLeft } from './channels';
import { nextInstant, whatIsNext } from './ladder';
import { personOf, type Directory } from './directory';
import type { OwedKind } from './events';
import type { Instant } from './json';
import type { ApprovalResult, State } from './outcome';
import type { Plan } from './plan';
import { hasEnded, openSignOff, type ApprovalState } from './state';

/** Something the workflow has to start; `id` is stable over retries and restarts. */
export interface Todo {
  readonly id: string;
  readonly kind: OwedKind;
  /** For the Temporal UI: `Ask Ana Ruiz (finance_manager) by email`. */
  readonly summary: string;
  /** Set where one attempt may take longer than a workflow's task should: it is not made inside of one. */
  readonly slow?: true;
  /** Set where the one called is known to answer soon: the attempt is made inside of the task that decides. */
  readonly quick?: true;
  /** Only for `signal_workflow`. */
  readonly workflowId?: string;
}

export interface ApprovalView {
  readonly seq: number;
  readonly state: State;
  /** The domain's clock at the commit. */
  readonly now: Instant;
  /** The next instant at which to knock, and what it is, for the timer's summary. */
  readonly wake: { readonly at: Instant; readonly label: string } | null;
  readonly attributes: {
    readonly state: string;
    readonly level: string;
    readonly lanes: readonly string[];
    readonly owners: readonly string[];
    readonly due: Instant | null;
  };
  /** Markdown for the Temporal UI: who is asked, until when, what next. */
  readonly details: string;
  readonly todo: readonly Todo[];
  readonly result: ApprovalResult | null;
}

/** The engine cuts a summary at 400 bytes. */
const LABEL_MAX = 200;

/** `2026-11-21 08:09 UTC`. */
const minute = (at: Instant | null): string => (at === null ? 'no deadline' : `${at.slice(0, 10)} ${at.slice(11, 16)} UTC`);

/** The view of a state. `result` is given once it has ended, with its token. */
export function viewOf(
  state: ApprovalState,
  plan: Plan,
  directory: Directory,
  now: Instant,
  result: ApprovalResult | null,
  isQuick: (url: string) => boolean = () => false,
): ApprovalView {
  const name = (id: string): string => personOf(directory, id)?.name ?? id;
  const open = openSignOff(state);
  const signOff = plan.signOffs.find((s) => s.id === open?.id);
  const level = open && signOff?.ladder[open.level];
  const ended = hasEnded(state);
  const owner = state.takeover?.by ?? open?.owner ?? state.hold?.owner ?? null;
  const due = state.takeover?.dueAt ?? state.hold?.dueAt ?? open?.dueAt ?? null;
  const levelName = ended ? '' : state.hold ? `held for ${state.hold.role}` : state.takeover ? `taken over` : (level?.name ?? '');
  const at = nextInstant(state);
  const next = state.takeover || state.hold || !signOff || !open ? '' : whatIsNext(plan, signOff, open.level);
  const whoAndWhen = !owner ? '' : `${levelName} (${name(owner)}) until ${minute(due)}${next ? `, then ${next}` : ''}`;
  const label = (at === due ? whoAndWhen : `Remind ${whoAndWhen}`).slice(0, LABEL_MAX);
  const details = ended
    ? `**${state.state}**: ${state.ended?.why ?? ''}`
    : owner
      ? [
          `**${state.state}** ${signOff && plan.signOffs.length > 1 ? `(sign-off ${signOff.id} of ${plan.signOffs.length}) ` : ''}on **${name(owner)}** (${levelName})`,
          `- until ${minute(due)}`,
          ...(next ? [`- then ${next}`] : []),
        ].join('\n')
      : `**${state.state}**`;
  return {
    seq: state.seq,
    state: state.state,
    now,
    wake: at ? { at, label } : null,
    attributes: { state: state.state, level: levelName, lanes: [signOff?.lane ?? plan.lane], owners: !ended && owner ? [owner] : [], due: ended ? null : due },
    details,
    todo: state.owed
      .filter((o) => o.status === 'owed' || o.status === 'failed_for_now')
      .map((debt): Todo => {
        const { id, owed, channel } = debt;
        switch (owed.kind) {
          case 'ask':
          case 'remind':
          case 'page_backup':
          case 'tell_asked':
            return {
              id,
              kind: owed.kind,
              summary: `${VERB[owed.kind]} ${name(owed.to.person)} (${owed.to.role}) by ${channelsLeft(debt).join(', else ')}`,
              ...(channel === 'webhook' ? { slow: true } : {}),
            };
          case 'tell_requester':
            return { id, kind: owed.kind, summary: 'Tell the requester' };
          case 'tell_customer':
            return { id, kind: owed.kind, summary: 'Tell the customer' };
          case 'open_ticket':
            return { id, kind: owed.kind, summary: `Open a ticket in ${owed.queue}` };
          case 'callback':
            return { id, kind: owed.kind, summary: 'Resume the agent by signed callback', ...(isQuick(owed.url) ? { quick: true } : {}) };
          case 'signal_workflow':
            return { id, kind: owed.kind, summary: 'Resume the agent workflow', workflowId: owed.workflowId };
        }
      }),
    result,
  };
}

const VERB = { ask: 'Ask', remind: 'Remind', page_backup: 'Page', tell_asked: 'Tell' } as const;
