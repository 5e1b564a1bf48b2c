/**
 * A candidate over requests that were made: what would have become of them, who would have been asked, which answers would have come
 * too late. Each is routed by the function that routes requests, with what was noted when it was made, and compared with the plan it got.
 *
 * It promises: the policy that routed a request, over that request, changes nothing; what nobody noted then is not made up but counts in the
 * strict direction, and is told; memory grows with what is reported, not with the requests.
 * Pure: requests are handed in one by one, in the order in which they were made.
 */
import type { Instant } from '../domain/json';
import { MEANWHILE, TIERS, type Effect, type Plan, type RecentValue, type SignOff } from '../domain/plan';
import { OPEN_STATES, type State } from '../domain/outcome';
import type { RequestInput } from '../domain/request';
import { workingTimeAfter } from './calendar';
import type { CompiledPolicy } from './model';
import { givenAt, givenBy } from './providers';
import { Counter } from './replay-recent';
import { REPLAY_FORMAT, type ReplayReport } from './replay-report';
import { resolve, type RoutingInput } from './resolve';
import { silenceOf } from './silence';
import { EFFECTS } from './strictest';

/** A request as the record holds it. */
export interface PastRequest {
  readonly approvalId: string;
  readonly at: Instant;
  readonly tenant: string;
  readonly agent: string;
  readonly body: Pick<RequestInput, 'action' | 'facts' | 'run' | 'on_behalf_of' | 'customer'>;
  /** Names of what was attached. */
  readonly evidence: readonly string[];
  readonly plan: Plan;
  readonly state: State;
  readonly endedAt: Instant | null;
  /** When people said their last word on a sign-off each, or on the whole of it, in order. */
  readonly answers: readonly Instant[];
}

export interface ReplayOf {
  readonly tenant: string;
  readonly since: Instant | null;
  readonly until: Instant;
  readonly limit: number | null;
  /** Any version that routed one of the requests; null where it cannot be read any more. */
  readonly versionOf: (hash: string) => Pick<CompiledPolicy, 'recent'> | null;
}

export interface Replay {
  /** Made before the window: it is counted where the candidate counts, and not replayed. */
  readonly before: (past: PastRequest) => void;
  readonly add: (past: PastRequest) => void;
  readonly report: () => ReplayReport;
}

/** How far back the candidate counts. */
export const looksBackMs = (policy: CompiledPolicy): number => Math.max(0, ...Object.values(policy.recent).map((r) => r.withinMs));

const EXAMPLES = 5;
const UNDONE: readonly State[] = ['blocked', 'denied', 'expired', 'withdrawn'];

/** How many requests, and some of them. */
class Tally {
  requests = 0;
  readonly examples: string[] = [];
  add({ approvalId }: PastRequest): void {
    this.requests += 1;
    if (this.examples.length < EXAMPLES) this.examples.push(approvalId);
  }
  get told(): { requests: number; examples: string[] } {
    return { requests: this.requests, examples: this.examples };
  }
}

interface Sides {
  before: number;
  after: number;
}

/** A map whose values are made when they are first asked for. */
class Each<V> extends Map<string, V> {
  constructor(private readonly make: () => V) {
    super();
  }
  of(key: string): V {
    const known = this.get(key) ?? this.make();
    this.set(key, known);
    return known;
  }
}

const sides = (): Sides => ({ before: 0, after: 0 });

const WORDS = 'words';

/** What two plans may differ in; whatever is not named here is told under its own name. */
const ASPECTS: readonly (readonly [what: string, of: (plan: Plan) => unknown])[] = [
  ['rows that apply', ({ rows }) => rows.map(({ id, unevaluated, expedited }) => [id, unevaluated, expedited !== undefined])],
  ['lane', ({ lane }) => lane],
  ['owner', ({ owner }) => owner],
  ['risk', ({ risk }) => risk],
  ['urgency', ({ urgency }) => urgency],
  ['who is asked', ({ signOffs }) => signOffs.map((s) => [s.lane, s.role, s.quorum, s.stage ?? null, s.ladder.map((level) => level.role)])],
  [
    'deadlines',
    ({ signOffs, calendars }) => [
      signOffs.map((s) => s.ladder.map((level) => [level.withinMs, level.calendar, level.limits ?? null, level.reminders])),
      calendars,
    ],
  ],
  ['channels', ({ signOffs }) => signOffs.map((s) => s.ladder.map((level) => level.channels))],
  ['authority', ({ amount, authority }) => [amount, authority]],
  ['evidence', ({ evidence }) => evidence],
  ['meanwhile', ({ meanwhile }) => meanwhile],
  ['when nobody answers', ({ onTimeout }) => onTimeout],
  ['on no', ({ onDeny }) => onDeny],
  [WORDS, ({ rows, instruction, signOffs }) => [rows, instruction, signOffs.map((s) => [s.rows, s.ladder.map((level) => level.name)])]],
];
const NAMED: readonly (keyof Plan)[] = [
  ...(['effect', 'tier', 'rows', 'lane', 'owner', 'risk', 'urgency', 'signOffs', 'calendars', 'amount', 'authority', 'evidence'] as const),
  ...(['meanwhile', 'onTimeout', 'onDeny', 'instruction'] as const),
];
/** Which version made it, and what it was made from. */
const GIVEN: readonly (keyof Plan)[] = ['policy', 'recent', 'provided', 'unavailable', 'exception'];

const text = (parts: readonly string[]): string => JSON.stringify(parts);

/** Alike as JSON: a member that is undefined is none. */
function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return (a ?? null) === (b ?? null);
  if (Array.isArray(a) || Array.isArray(b)) return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, i) => same(item, b[i]));
  const [one, other] = [a, b] as [Readonly<Record<string, unknown>>, Readonly<Record<string, unknown>>];
  return Object.keys(one).every((key) => same(one[key], other[key])) && Object.keys(other).every((key) => key in one || (other[key] ?? null) === null);
}

/** `takeoverMs` as `takeover`: what is left of a plan, under the name it has there. */
const restOf = (plan: Plan): Map<string, unknown> =>
  new Map(
    Object.entries(plan)
      .filter(([key]) => ![...NAMED, ...GIVEN].includes(key as keyof Plan))
      .map(([key, value]) => [key.replace(/Ms$/, '').replace(/[A-Z]/g, (c) => ` ${c.toLowerCase()}`), value]),
  );

function differences(before: Plan, after: Plan): string[] {
  const named = ASPECTS.filter(([, of]) => !same(of(before), of(after))).map(([what]) => what);
  const [was, is] = [restOf(before), restOf(after)];
  const others = [...new Set([...was.keys(), ...is.keys()])].filter((key) => !same(was.get(key), is.get(key)));
  // Other rows bring other words: only where nothing else explains them are they worth a line.
  const all = [...named, ...others];
  return all.length > 1 ? all.filter((what) => what !== WORDS) : all;
}

const signatures = ({ signOffs }: Plan): number => signOffs.reduce((sum, s) => sum + s.quorum, 0);
const asks = ({ effect }: Plan): boolean => effect === 'approval' || effect === 'escalation';

/** As far as it can be said of one request. */
function lessAsked(before: Plan, after: Plan): boolean {
  if (before.effect !== after.effect) return EFFECTS.indexOf(after.effect) < EFFECTS.indexOf(before.effect);
  if (!asks(before)) return false;
  return (
    TIERS.indexOf(after.tier) < TIERS.indexOf(before.tier) ||
    signatures(after) < signatures(before) ||
    MEANWHILE.indexOf(after.meanwhile.agent) < MEANWHILE.indexOf(before.meanwhile.agent) ||
    (after.onDeny.oneNo !== undefined && before.onDeny.oneNo === undefined) ||
    before.evidence.some((name) => !after.evidence.includes(name))
  );
}

/** One answer of a person, against the ladder of a sign-off. */
interface Punctual {
  readonly signOff: SignOff;
  readonly answered: Instant;
  readonly passedOn: boolean;
  /** When silence would have ended it, where that came first. */
  readonly missed: Instant | null;
}

/** The answers in their order, each for the next sign-off of the plan; those of one stage begin together. */
function punctuality(plan: Plan, { at, answers }: PastRequest): { readonly given: readonly Punctual[]; readonly short: boolean } {
  const given: Punctual[] = [];
  let start = at;
  let stage: number | undefined;
  let next = at;
  for (const [i, signOff] of plan.signOffs.entries()) {
    const answered = answers[i];
    if (answered === undefined) return { given, short: true };
    if (signOff.stage === undefined || signOff.stage !== stage) start = next;
    ({ stage } = signOff);
    next = answered > next ? answered : next;
    const [first] = signOff.ladder;
    const end = silenceOf({ ...plan, signOffs: [signOff] }, null, start).endsAt;
    given.push({
      signOff,
      answered,
      passedOn: first !== undefined && signOff.ladder.length > 1 && answered >= dueOf(plan, first, start),
      missed: end !== null && answered >= end ? end : null,
    });
  }
  return { given, short: false };
}

function dueOf({ calendars }: Plan, level: SignOff['ladder'][number], from: Instant): Instant {
  const dues = [level, ...(level.limits ?? [])].map(({ withinMs, calendar }) =>
    workingTimeAfter((calendar !== null && calendars?.[calendar]) || null, from, withinMs),
  );
  return dues.reduce((a, b) => (b < a ? b : a));
}

export function createReplay(candidate: CompiledPolicy, { tenant, since, until, limit, versionOf }: ReplayOf): Replay {
  const counters = Object.values(candidate.recent).map((recent) => new Counter(recent));
  const routedBy = new Map<string, { name: string; version: string; hash: string; requests: number }>();
  const counts = { requests: 0, unchanged: 0, reworded: 0, changed: 0, refused: 0, less_asked: 0 };
  const tallies = (): Each<Tally> => new Each(() => new Tally());
  const [outcomes, tiers, ends, aspects, unknown] = [tallies(), tallies(), tallies(), tallies(), tallies()];
  const refusals = new Each(() => ({ tally: new Tally(), paths: tallies(), message: '' }));
  const lanes = new Each(() => new Each(sides));
  const roles = new Each(() => new Each(sides));
  const days = new Each(sides);
  const rows = new Each(() => ({ ...sides(), unevaluated: 0 }));
  const again = new Set<string>();
  const punctual = { compared: 0, passed_on: sides(), missed: sides(), unanswered: 0, more_sign_offs: 0 };
  const late: ReplayReport['deadlines']['examples'] = [];
  const seen: { first: Instant | null; last: Instant | null } = { first: null, last: null };
  const meanings = new Map<string, Pick<CompiledPolicy, 'recent'> | null>();

  /** What the candidate counts: as it was noted, where the same was counted then; else counted again. */
  function recentOf(past: PastRequest): Record<string, RecentValue> {
    const counted = counters.map((counter) => [counter.recent, counter.next(countable(past))] as const);
    const { hash } = past.plan.policy;
    if (!meanings.has(hash)) meanings.set(hash, hash === candidate.hash ? candidate : versionOf(hash));
    const then = meanings.get(hash)?.recent ?? {};
    const found: Record<string, RecentValue> = {};
    for (const [recent, value] of counted) {
      const { name } = recent;
      const alike = Object.hasOwn(then, name) && same(then[name], recent);
      const noted = alike ? past.plan.recent?.[name] : (value ?? undefined);
      if (!alike) again.add(name);
      if (noted) found[name] = noted;
    }
    return found;
  }

  function inputOf(past: PastRequest): RoutingInput {
    const { plan, body } = past;
    const declared = <T>(said: { readonly [path: string]: T } | undefined): { [path: string]: T } =>
      Object.fromEntries(Object.entries(said ?? {}).filter(([path]) => givenAt(candidate, path)));
    const [provided, unavailable] = [declared(plan.provided), declared(plan.unavailable)];
    for (const { path } of givenBy(candidate)) if (!(path in provided) && !(path in unavailable)) unknown.of(path).add(past);
    return {
      action: body.action,
      facts: body.facts,
      recent: recentOf(past),
      ...(Object.keys(provided).length === 0 ? {} : { provided }),
      ...(Object.keys(unavailable).length === 0 ? {} : { unavailable }),
      ...(plan.exception ? { exception: refusedThen(plan.exception) } : {}),
      evidence: past.evidence,
      requester: { agent: past.agent, run: body.run, onBehalfOf: body.on_behalf_of ?? null },
      tenant: past.tenant,
    };
  }

  function loadOf(plan: Plan, side: keyof Sides, day: string): void {
    for (const { lane, role, quorum, ladder } of plan.signOffs) {
      lanes.of(lane).of(day)[side] += quorum;
      roles.of(ladder[0]?.role ?? role).of(day)[side] += quorum;
      days.of(day)[side] += quorum;
    }
  }

  function answersOf(past: PastRequest, after: Plan | null): void {
    if (past.answers.length === 0) {
      if (asks(past.plan) && past.endedAt !== null && past.state !== 'withdrawn') punctual.unanswered += 1;
      return;
    }
    const was = punctuality(past.plan, past).given;
    punctual.passed_on.before += was.filter((p) => p.passedOn).length;
    punctual.missed.before += was.filter((p) => p.missed).length;
    if (!after || !asks(after)) return;
    const is = punctuality(after, past);
    punctual.compared += is.given.length;
    punctual.passed_on.after += is.given.filter((p) => p.passedOn).length;
    for (const { signOff, missed, answered } of is.given) {
      if (!missed) continue;
      punctual.missed.after += 1;
      if (late.length < 4 * EXAMPLES) late.push({ approval: past.approvalId, sign_off: signOff.id, role: signOff.role, due: missed, answered });
    }
    if (is.short && (past.state === 'approved' || past.state === 'approved_with_conditions')) punctual.more_sign_offs += 1;
  }

  function add(past: PastRequest): void {
    const { plan: before } = past;
    counts.requests += 1;
    seen.first ??= past.at;
    seen.last = past.at;
    const known = routedBy.get(before.policy.hash) ?? { ...before.policy, requests: 0 };
    routedBy.set(before.policy.hash, { ...known, requests: known.requests + 1 });
    const day = past.at.slice(0, 10);
    loadOf(before, 'before', day);
    for (const { id } of before.rows) rows.of(id).before += 1;
    const resolved = resolve(candidate, inputOf(past));
    const after = resolved.ok ? resolved.plan : null;
    answersOf(past, after);
    const become = (now: Effect | 'refused'): void => outcomes.of(text([before.effect, told(past.state), now])).add(past);
    if (!resolved.ok) {
      counts.refused += 1;
      become('refused');
      for (const code of new Set(resolved.issues.map((issue) => issue.code))) {
        const refusal = refusals.of(code);
        refusal.tally.add(past);
        for (const issue of resolved.issues.filter((one) => one.code === code)) {
          refusal.paths.of(issue.path).add(past);
          refusal.message ||= issue.message;
        }
      }
      return;
    }
    const plan = resolved.plan;
    loadOf(plan, 'after', day);
    for (const row of plan.rows) {
      const count = rows.of(row.id);
      count.after += 1;
      if (row.unevaluated) count.unevaluated += 1;
    }
    if (lessAsked(before, plan)) counts.less_asked += 1;
    counts[compare(past, plan)] += 1;
    if (before.effect !== plan.effect) become(plan.effect);
  }

  function compare(past: PastRequest, plan: Plan): 'unchanged' | 'reworded' | 'changed' {
    const { plan: before } = past;
    // Then all the rest is other as well, and says nothing more.
    if (before.effect !== plan.effect) return 'changed';
    if (before.tier !== plan.tier) tiers.of(text([before.tier, plan.tier])).add(past);
    if (asks(plan) && before.onTimeout.end !== plan.onTimeout.end) ends.of(text([before.onTimeout.end, plan.onTimeout.end])).add(past);
    const different = differences(before, plan);
    for (const what of different) aspects.of(what).add(past);
    if (different.length === 0 && before.tier === plan.tier) return 'unchanged';
    return before.tier === plan.tier && different.every((what) => what === WORDS) ? 'reworded' : 'changed';
  }

  return {
    before(past) {
      for (const counter of counters) counter.next(countable(past));
    },
    add,
    report() {
      const list = <T extends object>(each: Each<Tally>, read: (key: string) => T): (T & Tally['told'])[] =>
        [...each].sort(([, a], [, b]) => b.requests - a.requests).map(([key, tally]) => ({ ...read(key), ...tally.told }));
      const pair = (key: string): { was: string; now: string } => {
        const [was = '', now = ''] = JSON.parse(key) as string[];
        return { was, now };
      };
      const all = [...candidate.rows, candidate.defaultRow];
      const gone = [...rows.keys()].filter((id) => !all.some((row) => row.id === id));
      const loads = (each: Each<Each<Sides>>): [string, ReturnType<typeof total>][] =>
        [...each]
          .map(([name, byDay]): [string, ReturnType<typeof total>] => [name, total(byDay)])
          .sort(([, a], [, b]) => b.after - a.after || b.before - a.before);
      return {
        format: REPLAY_FORMAT,
        tenant,
        window: { since, until, limit, ...seen },
        candidate: { name: candidate.name, version: candidate.version, hash: candidate.hash },
        routed_by: [...routedBy.values()],
        ...counts,
        outcomes: list(outcomes, (key) => {
          const [effect, outcome, now] = JSON.parse(key) as [Effect, string, Effect | 'refused'];
          return { was: { effect, outcome }, now };
        }),
        tiers: list(tiers, pair),
        ends: list(ends, pair),
        aspects: list(aspects, (what) => ({ what })),
        refusals: [...refusals].map(([code, { tally, paths, message }]) => ({
          code,
          ...tally.told,
          paths: list(paths, (path) => ({ path })).map(({ path, requests }) => ({ path, requests })),
          message,
        })),
        load: {
          sign_offs: total(days),
          lanes: loads(lanes).map(([lane, load]) => ({ lane, ...load })),
          roles: loads(roles).map(([role, load]) => ({ role, ...load })),
          days: [...days.keys()].sort().flatMap((day) => [...roles].flatMap(([role, byDay]) => (byDay.has(day) ? [{ day, role, ...byDay.of(day) }] : []))),
        },
        deadlines: { ...punctual, examples: late },
        rows: [...all.map(({ id, effect }) => ({ id, effect })), ...gone.map((id) => ({ id, effect: null }))].map(({ id, effect }) => ({
          row: id,
          effect,
          ...rows.of(id),
        })),
        never: all.filter(({ id }) => rows.of(id).after === 0).map(({ id }) => id),
        unknown: list(unknown, (path) => ({ path })).map(({ path, requests }) => ({ path, requests })),
        counted_again: [...again],
      };
    },
  };
}

const countable = ({ at, agent, body, state, endedAt }: PastRequest): Parameters<Counter['next']>[0] => ({
  at,
  agent,
  customer: body.customer?.id ?? null,
  type: body.action.type,
  params: body.action.params,
  undoneAt: UNDONE.includes(state) ? endedAt : null,
});

/** What the record said of the refusal; what the policy of the day made of it is left out. */
const refusedThen = ({ of, outcome, rows, by }: NonNullable<Plan['exception']>): NonNullable<Plan['exception']> => ({
  of,
  outcome,
  rows,
  ...(by ? { by } : {}),
});

const told = (state: State): string => ((OPEN_STATES as readonly State[]).includes(state) ? 'open' : state);

type Total = Sides & { busiest_before: Busiest; busiest_after: Busiest };
type Busiest = { day: string; requests: number } | null;

function total(byDay: Each<Sides>): Total {
  const busiest = (side: keyof Sides): Busiest =>
    [...byDay].reduce<Busiest>((most, [day, counts]) => (counts[side] > (most?.requests ?? 0) ? { day, requests: counts[side] } : most), null);
  const sum = (side: keyof Sides): number => [...byDay.values()].reduce((all, counts) => all + counts[side], 0);
  return { before: sum('before'), after: sum('after'), busiest_before: busiest('before'), busiest_after: busiest('after') };
}
