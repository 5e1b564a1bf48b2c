/**
 * What the workflow needs to know after a commit: plain data, small, made from the state.
 * Pure: imports only from domain.
 */
import { channelsLeft } from './channels';
import { sealedOf, sealedWords } from './dual';
import { momentOf, nextInstant, whatIsNext } from './ladder';
import { personOf, type Directory } from './directory';
import type { OwedKind } from './events';
import type { Instant } from './json';
import type { ApprovalResult, State } from './outcome';
import type { Plan } from './plan';
import { hasEnded, openQuestions, openSignOffs, type ApprovalState, type QuestionState } from './state';

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
  /** How often it was opened again after it had been given up: it is begun anew then, also by a run that has begun it before. */
  readonly again?: number;
  /** Only for `signal_workflow` and `pause_workflow`. */
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

/** Who has it, or a part of it, until when. */
interface Standing {
  readonly signOff: string | null;
  readonly level: string;
  readonly owner: string | null;
  readonly due: Instant | null;
  /** When something happens next: a question lapses, a reminder, or that the time is over. */
  readonly moment: Instant | null;
  /** Empty where it is not known before. */
  readonly next: string;
  /** The open question that lapses first. */
  readonly question: QuestionState | null;
  /** Whether its clock stands still for a question: `due` is the question's then. */
  readonly still: boolean;
  /** What else there is to say of it, a phrase each: how many have chosen, where the work stands. Never what somebody chose. */
  readonly also: readonly string[];
}

/** One for each open sign-off; one for the whole where somebody has taken it over. */
function standingsOf(state: ApprovalState, plan: Plan): Standing[] {
  const { takeover } = state;
  const first = (signOff: string): QuestionState | null =>
    openQuestions(state)
      .filter((q) => q.signOff === signOff)
      .sort((a, b) => (a.dueAt < b.dueAt ? -1 : 1))[0] ?? null;
  if (takeover) {
    const also = takeover.status === undefined ? [] : [takeover.status.replaceAll('_', ' ')];
    const [due, question] = [takeover.dueAt, first('')];
    return [{ signOff: null, level: 'taken over', owner: takeover.by, due, moment: nextInstant(state), next: '', question, still: false, also }];
  }
  return openSignOffs(state).map((open) => {
    const signOff = plan.signOffs.find((s) => s.id === open.id);
    const level = open.hold ? `held for ${open.hold.role}` : (signOff?.ladder[open.level]?.name ?? '');
    const next = open.hold || !signOff ? '' : whatIsNext(plan, signOff, open.level);
    const question = first(open.id);
    const still = open.paused !== undefined;
    const due = still ? (question?.dueAt ?? null) : open.dueAt;
    const also = sealedOf(state, plan).flatMap((sealed) => (sealed.signOff === open.id ? [sealedWords(sealed)] : []));
    return { signOff: open.id, level, owner: open.owner, due, moment: momentOf(state, open), next, question, still, also };
  });
}

function detailsOf({ state }: ApprovalState, plan: Plan, shown: readonly Standing[], name: (id: string) => string): string {
  const owned = shown.filter(({ owner }) => owner !== null);
  if (owned.length === 0) return `**${state}**`;
  const [only] = owned.length === 1 ? owned : [];
  const which = only?.signOff != null && plan.signOffs.length > 1 ? `(sign-off ${only.signOff} of ${plan.signOffs.length}) ` : '';
  const lines = ({ level, owner, due, next, question, still, also }: Standing): string[] => {
    const whose = only ? '' : `${level} (${name(owner ?? '')}) `;
    const until = still
      ? []
      : only
        ? [`- until ${minute(due)}`, ...(next ? [`- then ${next}`] : [])]
        : [`- ${whose}until ${minute(due)}${next ? `, then ${next}` : ''}`];
    const waits = question
      ? [`- ${whose}waits for ${informant(question, name)} until ${minute(question.dueAt)}${still ? '; its clock stands still' : ''}`]
      : [];
    return [...until, ...waits, ...also.map((words) => `- ${whose}${words}`)];
  };
  return [`**${state}** ${which}on ${owned.map(({ owner, level }) => `**${name(owner ?? '')}** (${level})`).join(' and ')}`, ...owned.flatMap(lines)].join(
    '\n',
  );
}

/** Whose answer is awaited: `the agent (q1)`. */
const informant = ({ of, id }: QuestionState, name: (id: string) => string): string => `${of === 'agent' ? 'the agent' : name(of)} (${id})`;

const unique = (names: readonly string[]): string[] => [...new Set(names)];

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
  const ended = hasEnded(state);
  const shown = ended ? [] : standingsOf(state, plan);
  const owners = unique(shown.flatMap(({ owner }) => owner ?? []));
  const at = nextInstant(state);
  const dues = shown.flatMap(({ due }) => due ?? []);
  const due = dues.length === 0 ? null : dues.reduce((a, b) => (b < a ? b : a));
  const lanes = unique(openSignOffs(state).flatMap(({ id }) => plan.signOffs.find((s) => s.id === id)?.lane ?? []));
  const whoAndWhen = ({ owner, level, due, next }: Standing): string =>
    owner === null ? '' : `${level} (${name(owner)}) until ${minute(due)}${next ? `, then ${next}` : ''}`;
  const label = shown
    .filter(({ moment }) => moment === at)
    .map((one) => {
      const { question, due, still, level, owner } = one;
      if (question?.dueAt === at && (still || due !== at)) return `${level} (${name(owner ?? '')}) waits for ${informant(question, name)} until ${minute(at)}`;
      return at === due ? whoAndWhen(one) : `Remind ${whoAndWhen(one)}`;
    })
    .join('; ')
    .slice(0, LABEL_MAX);
  return {
    seq: state.seq,
    state: state.state,
    now,
    wake: at ? { at, label } : null,
    attributes: { state: state.state, level: unique(shown.map(({ level }) => level)).join(', '), lanes: lanes.length > 0 ? lanes : [plan.lane], owners, due },
    details: ended ? `**${state.state}**: ${state.ended?.why ?? ''}` : detailsOf(state, plan, shown, name),
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
          case 'ask_person':
            return {
              id,
              kind: owed.kind,
              summary: `Ask ${name(owed.to.person)} for information by ${channelsLeft(debt).join(', else ')}`,
              ...(channel === 'webhook' ? { slow: true } : {}),
            };
          case 'ask_agent':
            return { id, kind: owed.kind, summary: 'Ask the agent for information', slow: true };
          case 'tell_requester':
            return { id, kind: owed.kind, summary: 'Tell the requester' };
          case 'tell_customer':
            return { id, kind: owed.kind, summary: 'Tell the customer' };
          case 'open_ticket':
            return { id, kind: owed.kind, summary: `Open a ticket in ${owed.queue}` };
          case 'open_case':
            return { id, kind: owed.kind, summary: `Open a case in ${owed.queue}` };
          case 'raise_incident':
            return { id, kind: owed.kind, summary: `Raise an incident in ${owed.queue}` };
          case 'pause_credential':
            return { id, kind: owed.kind, summary: `Pause the credential ${owed.credential}`, slow: true };
          case 'resume_credential':
            return { id, kind: owed.kind, summary: `Let the credential ${owed.credential} work again`, slow: true };
          case 'callback':
            return { id, kind: owed.kind, summary: 'Resume the agent by signed callback', ...(isQuick(owed.url) ? { quick: true } : {}) };
          case 'signal_workflow':
            return { id, kind: owed.kind, summary: 'Resume the agent workflow', workflowId: owed.workflowId };
          case 'pause_workflow':
            return { id, kind: owed.kind, summary: 'Pause the agent workflow', workflowId: owed.workflowId };
          case 'disable_credential':
            return { id, kind: owed.kind, summary: `Disable the credential ${owed.credential}`, slow: true };
        }
      })
      .map((todo) => again(todo, state)),
    result,
  };
}

function again(todo: Todo, { owed }: ApprovalState): Todo {
  const times = owed.find((debt) => debt.id === todo.id)?.reopened;
  return times === undefined ? todo : { ...todo, again: times };
}

const VERB = { ask: 'Ask', remind: 'Remind', page_backup: 'Page', tell_asked: 'Tell' } as const;
