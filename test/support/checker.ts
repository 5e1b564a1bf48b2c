/**
 * The judge of the fault tests: compares what agents, people and receivers wrote down with what the store holds, how the workflows ended
 * and what the verification of the record found, and names each broken promise in a sentence. It trusts none of what it compares.
 *
 * (1) each acknowledged request ends in one terminal state; (2) one decision per request, the same everywhere; (3) each terminal decision
 * is delivered or dead-lettered; (4) the receiver acts exactly once; (5) nothing is executed without a valid token; (6) each transition has
 * its entry, and all heads are consistent.
 * Pure: a function of its argument. Imports types and the domain's vocabulary.
 */
import type { ApprovalEvent } from '../../domain/events';
import { EXECUTABLE, isOutcome, type ApprovalResult, type State } from '../../domain/outcome';
import type { TokenClaims } from '../../domain/token';
import type { CommandAnswer } from '../../workflows/protocol';

/** What an agent wrote down: before it asked, and when it was told that it had asked. */
export type AgentLine =
  | { readonly wrote: 'asks'; readonly key: string; readonly actionDigest: string }
  | { readonly wrote: 'acknowledged'; readonly key: string; readonly approvalId: string; readonly actionDigest: string };

/** What a person wrote down: what they were about to do, and what they were told came of it. */
export type PersonLine =
  | { readonly wrote: 'moves'; readonly key: string; readonly approvalId: string; readonly person: string; readonly move: string }
  | {
      readonly wrote: 'told';
      readonly key: string;
      readonly approvalId: string;
      readonly person: string;
      /** Null where it was not written down. */
      readonly move: string | null;
      readonly commandId: string;
      readonly accepted: boolean;
      readonly state: string;
      /** Null where the answer did not say. */
      readonly seq: number | null;
      readonly code: string | null;
    };

/** What a receiver wrote down: each call, and each time that it acted, by executing or by doing as it was told instead. */
export type ReceiverLine =
  | { readonly wrote: 'called'; readonly approvalId: string; readonly messageId: string }
  | { readonly wrote: 'acted'; readonly approvalId: string; readonly outcome: string; readonly executed: boolean; readonly token: string };

export interface StoredApproval {
  readonly approvalId: string;
  readonly key: string;
  readonly actionDigest: string;
  readonly signOffs: number;
  readonly needsWorkflow: boolean;
  /** Whether the agent is called back. */
  readonly callback: boolean;
  readonly state: string;
  readonly head: number;
  readonly headHash: string;
  readonly result: ApprovalResult | null;
  readonly entries: readonly { readonly seq: number; readonly leaf: string; readonly commandId: string | null; readonly event: ApprovalEvent }[];
  readonly answers: readonly CommandAnswer[];
  readonly commands: readonly { readonly commandId: string; readonly person: string; readonly move: string }[];
  readonly deliveries: readonly { readonly owedId: string; readonly kind: string; readonly status: string }[];
  /** How its workflow ended; null when the engine knows none. */
  readonly workflow: { readonly status: string; readonly outcome: string | null; readonly token: string | null } | null;
}

export interface Evidence {
  readonly agents: readonly AgentLine[];
  readonly people: readonly PersonLine[];
  /** Null where nobody was listening: then nothing is expected of receivers. */
  readonly receivers: readonly ReceiverLine[] | null;
  readonly approvals: readonly StoredApproval[];
  /** What each token claims whose signature holds and whose time is right, by token. */
  readonly claims: ReadonlyMap<string, TokenClaims>;
  /** What the verification of the record found, and entries without a place in the log. */
  readonly findings: readonly string[];
  /** True where receivers and mail servers were never away: then nothing may be a dead letter. */
  readonly allReachable: boolean;
}

type ToldLine = Extract<PersonLine, { readonly wrote: 'told' }>;
type ActedLine = Extract<ReceiverLine, { readonly wrote: 'acted' }>;

/** What was written about one approval. */
interface About {
  readonly evidence: Evidence;
  readonly told: readonly ToldLine[];
  readonly acted: readonly ActedLine[];
  readonly calls: readonly string[];
}

/** Everything that is wrong, one sentence each; empty when all promises held. */
export function violations(evidence: Evidence): string[] {
  const told = by(
    evidence.people.flatMap((line) => (line.wrote === 'told' ? [line] : [])),
    (line) => line.approvalId,
  );
  const acted = by(
    (evidence.receivers ?? []).flatMap((line) => (line.wrote === 'acted' ? [line] : [])),
    (line) => line.approvalId,
  );
  const calls = by(
    (evidence.receivers ?? []).flatMap((line) => (line.wrote === 'called' ? [line] : [])),
    (line) => line.approvalId,
  );
  const known = new Set(evidence.approvals.map(({ approvalId }) => approvalId));
  const strangers = [...new Set([...told.keys(), ...acted.keys(), ...calls.keys()])].filter((id) => !known.has(id));
  return [
    ...acknowledged(evidence, known),
    ...strangers.map((id) => `${id}: somebody was told of it, and the store does not know it`),
    ...evidence.approvals.flatMap((approval) => {
      const id = approval.approvalId;
      const about: About = { evidence, told: told.get(id) ?? [], acted: acted.get(id) ?? [], calls: (calls.get(id) ?? []).map((c) => c.messageId) };
      return [ended, oneDecision, sameAnswers, delivered, actedOnce, authorized, recorded].flatMap((check) =>
        check(approval, about).map((sentence) => `${id}: ${sentence}`),
      );
    }),
    ...evidence.findings.map((finding) => `record: ${finding}`),
  ];
}

function by<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const map = new Map<string, T[]>();
  for (const item of items) {
    const list = map.get(key(item));
    if (list) list.push(item);
    else map.set(key(item), [item]);
  }
  return map;
}

const unless = (holds: boolean, sentence: string): string[] => (holds ? [] : [sentence]);

const endsOf = ({ entries }: StoredApproval) => entries.flatMap(({ seq, event }) => (event.type === 'ended' ? [{ seq, event }] : []));

/** (1) What was acknowledged is there, once for each key, as it was asked. */
function acknowledged({ agents, approvals }: Evidence, known: ReadonlySet<string>): string[] {
  const asked = new Map(agents.flatMap((line) => (line.wrote === 'asks' ? [[line.key, line.actionDigest] as const] : [])));
  const stored = by(approvals, ({ key }) => key);
  const told = by(
    agents.flatMap((line) => (line.wrote === 'acknowledged' ? [line] : [])),
    ({ key }) => key,
  );
  return [
    ...[...told].flatMap(([key, lines]) => {
      const ids = [...new Set(lines.map(({ approvalId }) => approvalId))];
      return [
        ...ids.filter((id) => !known.has(id)).map((id) => `${id}: its request (${key}) was acknowledged, and the store has lost it`),
        ...unless(ids.length === 1, `${key}: one request was acknowledged as several: ${ids.join(', ')}`),
        ...unless(
          lines.every((line) => line.actionDigest === asked.get(key)),
          `${key}: another action was acknowledged than was asked for`,
        ),
      ];
    }),
    ...[...stored].flatMap(([key, rows]) => unless(rows.length === 1, `${key}: one key has ${rows.length} requests`)),
  ];
}

/** (1) One end, in a state that is one, and nothing decided after it. */
function ended(approval: StoredApproval): string[] {
  const { state, result, entries } = approval;
  const ends = endsOf(approval);
  const end = ends[0];
  return [
    ...unless(ends.length === 1, `it has ${ends.length} ends`),
    ...unless(isOutcome(state as State) && result !== null, `it stands at ${state}`),
    ...(end
      ? unless(
          !entries.some(({ seq, event }) => seq > end.seq && ['signed_off', 'denied', 'taken_over', 'resolved'].includes(event.type)),
          'it was decided after its end',
        )
      : []),
  ];
}

/** (2) Store, entry, token, workflow and receiver say the same, and what people did made it so. */
function oneDecision(approval: StoredApproval, { evidence, acted, told }: About): string[] {
  const { state, result, workflow, answers, commands, signOffs, needsWorkflow } = approval;
  if (result === null) return [];
  const said: (readonly [string, string | null | undefined])[] = [
    ['its row', state],
    ['its entry', endsOf(approval)[0]?.event.outcome],
    ['its token', evidence.claims.get(result.token)?.outcome],
    ...(needsWorkflow
      ? [['its workflow', workflow?.status === 'completed' ? workflow.outcome : `nothing, being ${workflow?.status ?? 'unknown'}`] as const]
      : []),
    ...acted.map(({ outcome }) => ['its receiver', outcome] as const),
  ];
  const moveOf = new Map(commands.map(({ commandId, move }) => [commandId, move]));
  const accepted = [...new Set([...answers, ...told].filter((answer) => answer.accepted).map((answer) => answer.commandId))].map(
    (commandId) => moveOf.get(commandId) ?? 'unknown',
  );
  const count = (move: string): number => accepted.filter((each) => each === move).length;
  return [
    ...said.flatMap(([who, outcome]) => unless(outcome === result.outcome, `its result is ${result.outcome}, and ${who} says ${outcome ?? 'nothing'}`)),
    ...unless(!needsWorkflow || workflow?.token === result.token, 'its workflow ended with another token than the record'),
    ...unless(
      count('deny') === (result.outcome === 'denied' && endsOf(approval)[0]?.event.end === null ? 1 : 0),
      `it was ${result.outcome}, and ${count('deny')} who said no were told that it counted`,
    ),
    ...unless(result.outcome !== 'approved' || count('approve') > 0, 'it was approved, and nobody who approved was answered'),
    ...unless(signOffs > 1 || count('approve') + count('deny') <= 1, `it wanted one decision, and ${count('approve') + count('deny')} counted`),
  ];
}

/** (2) What a person was told is what the store answered, once. */
function sameAnswers({ answers, commands }: StoredApproval, { told }: About): string[] {
  return told.flatMap((line) => {
    const { commandId, person, move } = line;
    const stored = answers.filter((answer) => answer.commandId === commandId);
    const [answer] = stored;
    const command = commands.find((each) => each.commandId === commandId);
    const same =
      answer !== undefined &&
      answer.accepted === line.accepted &&
      answer.state === line.state &&
      (line.seq === null || answer.seq === line.seq) &&
      (answer.refusal?.code ?? null) === line.code;
    return [
      ...unless(
        stored.length === 1 && same,
        `${person} was told ${said(line)} of ${commandId}, and the store says ${answer ? said({ ...answer, code: answer.refusal?.code ?? null }) : 'nothing'}`,
      ),
      ...unless(
        command?.person === person && (move === null || command.move === move),
        `${commandId} was ${person}'s ${move ?? 'move'}, and the store holds another`,
      ),
      ...unless(line.accepted === (line.code === null), `the answer to ${commandId} is neither yes nor no`),
    ];
  });
}

const said = ({ accepted, state, code }: { readonly accepted: boolean; readonly state: string; readonly code: string | null }): string =>
  accepted ? `yes (${state})` : `no (${code ?? 'without a reason'}, ${state})`;

/** (3) Nothing is owed any more, and what is settled without success is a dead letter on the record. */
function delivered({ deliveries, entries, callback, result, approvalId }: StoredApproval, { evidence, calls }: About): string[] {
  const gaveUp = (owedId: string): boolean =>
    entries.some(({ event }) => event.type === 'attempted' && event.owedId === owedId && event.status === 'failed_for_good');
  return [
    ...deliveries.flatMap(({ owedId, kind, status }) => {
      if (status === 'done' || status === 'superseded') return [];
      if (status !== 'failed_for_good') return [`still owed: ${kind} (${owedId}, ${status})`];
      return [
        ...unless(gaveUp(owedId), `${kind} (${owedId}) is a dead letter, and no entry says so`),
        ...unless(!evidence.allReachable, `${kind} (${owedId}) is a dead letter, and everybody was there`),
      ];
    }),
    ...unless(!callback || result === null || deliveries.some(({ kind }) => kind === 'callback'), 'it ended, and its agent is not owed a word'),
    ...(evidence.receivers === null
      ? []
      : deliveries
          .filter(({ kind, status }) => kind === 'callback' && status === 'done')
          .flatMap(({ owedId }) =>
            unless(calls.includes(messageIdOf(approvalId, owedId)), `the callback ${owedId} counts as delivered, and the receiver was never called`),
          )),
  ];
}

/** As Standard Webhooks allows ids. */
const messageIdOf = (approvalId: string, owedId: string): string => `${approvalId}_${owedId}`.replace(/[^A-Za-z0-9_-]/g, '-');

/** (4) Called under one id, acted once, on the result that stands. */
function actedOnce({ deliveries, callback, result, needsWorkflow }: StoredApproval, { evidence, acted, calls }: About): string[] {
  if (evidence.receivers === null || !callback || !needsWorkflow) return [];
  const ids = new Set(calls);
  const lost = deliveries.some(({ kind, status }) => kind === 'callback' && status === 'failed_for_good');
  return [
    ...unless(ids.size === 1 || lost, `the receiver got ${ids.size} different messages`),
    ...unless(acted.length === 1 || (lost && acted.length === 0), `the receiver acted ${acted.length} times`),
    ...acted.flatMap(({ token }) => unless(token === result?.token, 'the receiver acted on another result than the record')),
  ];
}

/** (5) Every execution had a token that verifies, of this approval, for this action, that allows it; and nobody was held up who was allowed. */
function authorized({ approvalId, actionDigest }: StoredApproval, { evidence, acted }: About): string[] {
  return acted.flatMap(({ executed, token, outcome }) => {
    const claims = evidence.claims.get(token);
    const allows = EXECUTABLE.some((each) => each === claims?.outcome);
    if (!executed) return unless(!allows, `it was ${outcome}, and the receiver did not execute it`);
    return [
      ...unless(claims !== undefined, 'it was executed on a token that does not verify'),
      ...unless(claims === undefined || allows, `it was executed on a token that says ${claims?.outcome ?? ''}`),
      ...unless(claims === undefined || claims.sub === approvalId, `it was executed on the token of ${claims?.sub ?? ''}`),
      ...unless(claims === undefined || claims.action_digest === actionDigest, 'another action was executed than was approved'),
    ];
  });
}

/** (6) Entries without a gap, a head that is the last one, and an entry for every answer. */
function recorded({ entries, head, headHash, answers }: StoredApproval): string[] {
  const opened = entries.flatMap(({ event }) => (event.type === 'level_opened' ? [`${event.signOff}/${event.level}`] : []));
  const last = entries.at(-1);
  const begins = entries.slice(0, 2).map(({ event }) => event.type);
  return [
    ...unless(
      entries.every(({ seq }, i) => seq === i + 1),
      `its entries are not contiguous: ${entries.map((e) => e.seq).join(' ')}`,
    ),
    ...unless(head === entries.length && headHash === last?.leaf, `its head is ${head}, and there are ${entries.length} entries of which the last is another`),
    ...unless(begins.join() === 'requested,routed', `it begins with ${begins.join(', ')}`),
    ...unless(new Set(opened).size === opened.length, `a level was opened twice: ${opened.join(' ')}`),
    ...answers.flatMap(({ commandId, seq, accepted }) => {
      const entry = entries.find((each) => each.commandId === commandId);
      return [
        ...unless(entry !== undefined && entry.seq <= seq, `${commandId} was answered, and has no entry`),
        ...unless(
          entry === undefined || (entry.event.type === 'refused') !== accepted,
          `${commandId} was ${accepted ? 'accepted' : 'refused'}, and its entry says otherwise`,
        ),
      ];
    }),
  ];
}
