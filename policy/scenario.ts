/**
 * Scenario files: a request that an agent could send, and what a person expects the policy to make of it.
 * They are run, never published: the same functions route them that route requests. Pure. Every failure is a finding at the line that
 * expects otherwise, with what was expected and what came; all of them at once.
 */
import { z } from 'zod';
import type { Directory } from '../domain/directory';
import { ms, type Instant, type Json, type JsonObject } from '../domain/json';
import { isMoney } from '../domain/money';
import { CHANNELS, MEANWHILE, OPERATORS, QUESTIONS, TIERS, TIMEOUT_ENDS, type Plan, type Provided, type RecentValue } from '../domain/plan';
import { RequestSchema } from '../domain/request';
import type { Silence } from '../domain/silence';
import { byPath, withMoney } from './examples';
import type { PolicyFile } from './hash';
import type { CompiledPolicy } from './model';
import { givenAt } from './providers';
import { parseYaml, type Path, type Source } from './parse';
import { ROUTING_CODES } from './reading';
import { Report, type Finding } from './report';
import { resolve, type Resolved, type RoutingInput } from './resolve';
import { CLOCKS, id, partialAction, RISKS, text, URGENCIES, world } from './schema';
import { shaped } from './shape';
import { silenceOf } from './silence';
import { durationText, parseDuration } from './units';
import { effectsInWords } from './words';

/** When a scenario does not say: a Wednesday at noon, UTC, so that the same file means the same on every day. */
const AT: Instant = '2026-01-07T12:00:00.000Z';

const instantText = z.iso.datetime({ offset: true });

const request = z.strictObject({
  action: partialAction,
  facts: z.record(z.string(), z.json()).default({}),
  evidence: z.array(text(100)).default([]),
  agent: text(200).default('agent'),
  run: text(200).default('run'),
  reason: text(2000).default('A scenario of the policy'),
  on_behalf_of: text(200).optional(),
  tenant: text(100).default('tenant'),
});

/** What an end of silence may bring with it, as a row writes it. */
const EFFECTS = ['pause_workflow', 'disable_credential', 'ticket', 'tell_customer'] as const;

/** What may be carried out as soon as a request is open, as a row writes it. */
const CARRIED = ['tell_customer', 'open_case', 'raise_incident', 'pause_credential'] as const;

const when = { after: text(20).optional(), at: instantText.optional() };

const silence = z.strictObject({
  outcome: z.enum(['expired', 'denied']).optional(),
  end: z.enum(TIMEOUT_ENDS).optional(),
  /** What Countersign does beside that end: exactly these. */
  effects: z.array(z.enum(EFFECTS)).max(EFFECTS.length).optional(),
  ...when,
  timeline: z
    .array(z.strictObject({ ...when, says: text(500) }))
    .max(50)
    .optional(),
});

/** What a row may offer, as it writes it. */
const OFFERED = ['amount_at_most', 'only_recipients', 'expires_within', 'options'] as const;

const expected = z.strictObject({
  effect: z.enum(['allow', 'block', 'approval', 'escalation']).optional(),
  refused: z.enum(ROUTING_CODES).optional(),
  rows: z.array(id).max(100).optional(),
  lane: id.optional(),
  owner: id.optional(),
  tier: z.enum(TIERS).optional(),
  risk: z.enum(RISKS).optional(),
  urgency: z.enum(URGENCIES).optional(),
  sign_offs: z
    .array(
      z.strictObject({
        lane: id.optional(),
        quorum: z.int().min(1).max(10).optional(),
        stage: z.int().min(1).max(20).optional(),
        ladder: z
          .array(
            z.strictObject({
              role: id,
              name: text(100).optional(),
              within: text(20).optional(),
              calendar: id.optional(),
              channels: z.array(z.enum(CHANNELS)).optional(),
            }),
          )
          .min(1)
          .max(10),
      }),
    )
    .max(20)
    .optional(),
  evidence: z.array(id).max(100).optional(),
  /** What each relative role is bound to; null where the request does not say. */
  relative: z.record(id, text(200).nullable()).optional(),
  meanwhile: z.enum(MEANWHILE).optional(),
  /** What belongs to that, and what Countersign carries out itself: exactly these. */
  while_it_waits: z
    .strictObject({
      retry_after: text(20).optional(),
      alternative: text(100).optional(),
      to_percent: z.int().min(1).max(99).optional(),
      effects: z.array(z.enum(CARRIED)).max(CARRIED.length).optional(),
    })
    .optional(),
  questions: z.strictObject({ clock: z.enum(CLOCKS).optional(), within: text(20).optional(), at_most: z.int().min(0).optional() }).optional(),
  takeover_within: text(20).optional(),
  takeover_at_most: text(20).optional(),
  on_a_no: z.enum(['ends_it', 'next_level']).optional(),
  operators: z
    .strictObject({
      roles: z.array(id).optional(),
      extend_at_most: text(20).optional(),
      override_by: z.array(id).optional(),
      second_person: z.boolean().optional(),
      break_glass_by: z.array(id).optional(),
    })
    .optional(),
  /** What an approver may add to a yes: exactly these. */
  offers: z.array(z.enum(OFFERED)).max(OFFERED.length).optional(),
  /** Of which exactly one is chosen with a yes. */
  options: z.array(id).max(20).optional(),
  /** Facts that the person supplies: exactly these. */
  asks_for: z.array(id).max(50).optional(),
  when_nobody_answers: silence.optional(),
});

export const ScenarioFileSchema = z.strictObject({
  about: text(4000).optional(),
  scenarios: z
    .array(
      z.strictObject({
        name: text(200),
        about: text(2000).optional(),
        at: instantText.optional(),
        request,
        ...world,
        /** Who owns what here, over what the directory says. */
        owners: z.record(id, z.record(text(200), z.array(text(64)).min(1).max(50))).default({}),
        exception: z
          .strictObject({ outcome: z.enum(['blocked', 'denied']), rows: z.array(id).min(1).max(100), by: z.array(text(100)).max(10).default([]) })
          .optional(),
        expect: expected,
      }),
    )
    .min(1)
    .max(1000),
});

type ScenarioDocument = z.output<typeof ScenarioFileSchema>['scenarios'][number];
type Expected = z.output<typeof expected>;

interface ScenarioResult {
  readonly name: string;
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly ok: boolean;
}

export interface Tested {
  readonly scenarios: readonly ScenarioResult[];
  readonly findings: readonly Finding[];
}

/** One scenario under test, with the means to say what is wrong with it. */
interface Trial {
  readonly doc: ScenarioDocument;
  readonly from: Instant;
  readonly bad: (path: Path, message: string) => void;
  /** `what` of the plan is other than the scenario expects. */
  readonly differs: (path: Path, what: string, wanted: string, got: string) => void;
}

export function testScenarios(policy: CompiledPolicy, directory: Directory | null, files: readonly PolicyFile[]): Tested {
  const report = new Report();
  const scenarios: ScenarioResult[] = [];
  for (const file of files) {
    const source = parseYaml(file, report);
    const doc = source && shaped(ScenarioFileSchema, source, report);
    for (const [i, scenario] of (doc?.scenarios ?? []).entries()) if (source) scenarios.push(runOne(policy, directory, source, i, scenario, report));
  }
  return { scenarios, findings: report.findings };
}

function runOne(policy: CompiledPolicy, directory: Directory | null, source: Source, index: number, doc: ScenarioDocument, report: Report): ScenarioResult {
  let ok = true;
  const fail = (code: 'scenario_bad' | 'scenario_fails', path: Path, message: string): void => {
    ok = false;
    report.error(code, source.at(['scenarios', index, ...path]), null, message);
  };
  const trial: Trial = {
    doc,
    from: new Date(doc.at ?? AT).toISOString(),
    bad: (path, message) => {
      fail('scenario_bad', path, `${doc.name}: ${message}`);
    },
    differs: (path, what, wanted, got) => {
      fail('scenario_fails', ['expect', ...path], `${doc.name}: ${what} should be ${wanted}, and is ${got}`);
    },
  };
  if (Object.keys(doc.expect).length === 0) trial.bad(['expect'], 'nothing is expected, so nothing can fail; say at least the effect');
  const input = inputOf(policy, trial);
  if (input) compare(trial, resolve(policy, input), withOwners(directory, trial));
  const { file, line } = source.at(['scenarios', index]);
  return { name: doc.name, file, line, ok };
}

/** The request whole, as the API would take it; null where it would not. */
function inputOf(policy: CompiledPolicy, { doc, bad }: Trial): RoutingInput | null {
  const { action, facts, evidence, run, reason, on_behalf_of: onBehalfOf, agent, tenant } = doc.request;
  const { recent, provided, system } = doc;
  const written = withMoney(policy, { type: action.type, params: action.params, facts, recent, provided, system });
  const whole = RequestSchema.safeParse({
    action: {
      summary: `Do ${action.type}`,
      system: 'system',
      reversibility: 'hard',
      ...action,
      params: written.params,
      audience: { reach: 'one_customer', count: 1, ...action.audience },
    },
    facts: written.facts,
    run,
    reason,
    ...(onBehalfOf === undefined ? {} : { on_behalf_of: onBehalfOf }),
    evidence: evidence.map((name) => ({ name, title: name, source: 'agent', content: '' })),
    resume: { type: 'poll' },
  });
  if (!whole.success) {
    for (const issue of whole.error.issues) {
      const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
      bad(['request', ...path], `this is no request: ${path.join('.')}: ${issue.message}`);
    }
    return null;
  }
  for (const [i, row] of (doc.exception?.rows ?? []).entries()) {
    if (row !== 'default' && !policy.rows.some((r) => r.id === row)) bad(['exception', 'rows', i], `there is no row ${row} that could have refused`);
  }
  return {
    action: whole.data.action,
    facts: whole.data.facts,
    recent: recentOf(policy, written.recent, action.type, written.params),
    provided: providedOf(policy, byPath(written)),
    evidence,
    requester: { agent, run, onBehalfOf: onBehalfOf ?? null },
    tenant,
    ...(doc.exception ? { exception: { of: 'ap_earlier', ...doc.exception, by: doc.exception.by.map((role) => ({ person: 'somebody', role })) } } : {}),
  };
}

/** What is not said is what a provider does not say that is down. */
const providedOf = (policy: CompiledPolicy, said: JsonObject): Record<string, Provided> =>
  Object.fromEntries(Object.entries(said).map(([path, value]) => [path, { value, provider: givenAt(policy, path)?.provider ?? '', at: AT }]));

/** With the owners of the scenario, which have to be people where there is a directory. */
function withOwners(directory: Directory | null, { doc: { owners }, bad }: Trial): SilentDirectory {
  for (const [role, owned] of Object.entries(owners))
    for (const [of, ids] of Object.entries(owned))
      for (const [i, person] of ids.entries())
        if (directory && !Object.hasOwn(directory.people, person))
          bad(['owners', role, of, i], `${person} is not in the directory; add the person, or mend the id`);
  return { directory: directory && { ...directory, owners: { ...directory.owners, ...owners } }, owners };
}

/** What is not said is what the record would say of the first request of its window. */
function recentOf(policy: CompiledPolicy, said: JsonObject, type: string, params: JsonObject): Record<string, RecentValue> {
  const first = Object.values(policy.recent).flatMap(({ name, of, sum }): [string, Json][] => {
    const own = of.includes(type);
    if (sum === null) return [[name, own ? 1 : 0]];
    const amount = own ? params[sum] : undefined;
    return isMoney(amount) ? [[name, { minor: amount.minor, currency: amount.currency }]] : [];
  });
  // What has the wrong type is said by the policy, with what it has to be.
  return Object.fromEntries([...first, ...Object.entries(said)].map(([name, value]) => [name, { value: value as number, requests: 1, since: AT }]));
}

type SilentDirectory = { readonly directory: Directory | null; readonly owners: NonNullable<Directory['owners']> };

function compare(trial: Trial, resolved: Resolved, { directory, owners }: SilentDirectory): void {
  const { differs, doc } = trial;
  const { refused } = doc.expect;
  if (!resolved.ok) {
    const why = resolved.issues.map(({ code, message }) => `refused with ${code}: ${message}`).join('; ');
    if (refused === undefined) differs(['effect'], 'the effect', doc.expect.effect ?? 'a plan', why);
    else if (!resolved.issues.some(({ code }) => code === refused)) differs(['refused'], 'the refusal', refused, why);
    return;
  }
  const { plan } = resolved;
  if (refused !== undefined) {
    differs(['refused'], 'the refusal', refused, `none: ${inWords(plan)}`);
    return;
  }
  comparePlan(trial, plan);
  compareMoves(trial, plan);
  compareLadders(trial, plan);
  if (doc.expect.when_nobody_answers) compareSilence(trial, plan, silenceOf(plan, directory, trial.from, owners), doc.expect.when_nobody_answers);
}

const inWords = (plan: Plan): string => `${plan.effect} by ${plan.rows.map((r) => r.id).join(', ')}`;
const listed = (names: readonly string[]): string => names.join(', ') || 'none';
const sameSet = (a: readonly string[], b: readonly string[]): boolean => [...a].sort().join('\n') === [...b].sort().join('\n');

function comparePlan({ doc, differs }: Trial, plan: Plan): void {
  const { expect } = doc;
  if (expect.effect !== undefined && expect.effect !== plan.effect) differs(['effect'], 'the effect', expect.effect, inWords(plan));
  for (const key of ['lane', 'owner', 'tier', 'risk', 'urgency'] as const) {
    const wanted = expect[key];
    if (wanted !== undefined && wanted !== plan[key]) differs([key], `the ${key}`, wanted, plan[key]);
  }
  if (expect.meanwhile !== undefined && expect.meanwhile !== plan.meanwhile.agent)
    differs(['meanwhile'], 'what the agent does meanwhile', expect.meanwhile, plan.meanwhile.agent);
  for (const [role, wanted] of Object.entries(expect.relative ?? {})) {
    const bound = plan.relative && Object.hasOwn(plan.relative, role) ? plan.relative[role] : undefined;
    if (bound?.of !== wanted)
      differs(['relative', role], `what ${role} is bound to`, wanted ?? 'nothing', bound ? (bound.of ?? 'nothing') : 'no role of this plan');
  }
  const rows = plan.rows.map((r) => r.id);
  if (expect.rows && !sameSet(expect.rows, rows)) differs(['rows'], 'the rows that apply', listed(expect.rows), listed(rows));
  if (expect.evidence && !sameSet(expect.evidence, plan.evidence)) differs(['evidence'], 'the evidence needed', listed(expect.evidence), listed(plan.evidence));
  const offered = offeredBy(plan);
  if (expect.offers && !sameSet(expect.offers, offered)) differs(['offers'], 'what may be added to a yes', listed(expect.offers), listed(offered));
  const options = Object.keys(plan.offers?.options ?? {});
  if (expect.options && !sameSet(expect.options, options)) differs(['options'], 'what may be chosen', listed(expect.options), listed(options));
  const asked = Object.keys(plan.asksFor ?? {});
  if (expect.asks_for && !sameSet(expect.asks_for, asked)) differs(['asks_for'], 'what the person supplies', listed(expect.asks_for), listed(asked));
}

/** What people, agents and operators may do meanwhile. What a plan does not say is compared as what it means then. */
function compareMoves(trial: Trial, plan: Plan): void {
  const { doc, differs } = trial;
  const { while_it_waits: waits, questions, operators, on_a_no: onNo } = doc.expect;
  const { meanwhile, onDeny, takeoverMs, takeoverAtMostMs } = plan;
  compareTime(trial, ['while_it_waits', 'retry_after'], 'how long the agent waits before it tries again', waits?.retry_after, meanwhile.retryAfterMs);
  if (waits?.alternative !== undefined && waits.alternative !== meanwhile.alternative?.type)
    differs(['while_it_waits', 'alternative'], 'the safe path', waits.alternative, meanwhile.alternative?.type ?? 'none');
  if (waits?.to_percent !== undefined && waits.to_percent !== meanwhile.toPercent)
    differs(
      ['while_it_waits', 'to_percent'],
      'how much of the usual the agent does',
      `${String(waits.to_percent)}%`,
      meanwhile.toPercent === undefined ? 'not said' : `${String(meanwhile.toPercent)}%`,
    );
  const carried = [...new Set(effectsInWords(meanwhile.effects ?? {}).map(([name]) => name))];
  if (waits?.effects && !sameSet(waits.effects, carried))
    differs(['while_it_waits', 'effects'], 'what is carried out meanwhile', listed(waits.effects), listed(carried));
  const { clock, withinMs, atMost } = plan.questions ?? QUESTIONS;
  if (questions?.clock !== undefined && questions.clock !== clock)
    differs(['questions', 'clock'], 'whether the clock pauses or runs while a question is open', questions.clock, clock);
  compareTime(trial, ['questions', 'within'], 'how long a question waits', questions?.within, withinMs);
  if (questions?.at_most !== undefined && questions.at_most !== atMost)
    differs(['questions', 'at_most'], 'how many questions there may be', String(questions.at_most), String(atMost));
  compareTime(trial, ['takeover_within'], 'how long who takes over has', doc.expect.takeover_within, takeoverMs);
  compareTime(trial, ['takeover_at_most'], 'how long who takes over has in all', doc.expect.takeover_at_most, takeoverAtMostMs ?? takeoverMs);
  const no = onDeny.oneNo ?? 'ends_it';
  if (onNo !== undefined && onNo !== no) differs(['on_a_no'], 'what a no does', onNo, no);
  if (operators) compareOperators(trial, plan.operators ?? OPERATORS, operators);
}

function compareOperators(
  trial: Trial,
  { roles, extendAtMostMs, override, breakGlass }: NonNullable<Plan['operators']>,
  wanted: NonNullable<Expected['operators']>,
): void {
  const { differs } = trial;
  const named = [
    ['roles', 'who operators are', wanted.roles, roles],
    ['override_by', 'who may override', wanted.override_by, override?.roles ?? []],
    ['break_glass_by', 'who may break the glass', wanted.break_glass_by, breakGlass?.roles ?? []],
  ] as const;
  for (const [key, what, want, got] of named) if (want && !sameSet(want, got)) differs(['operators', key], what, listed(want), listed(got));
  compareTime(trial, ['operators', 'extend_at_most'], 'how far a level may be extended', wanted.extend_at_most, extendAtMostMs);
  const people = (two: boolean): string => (two ? 'two people' : 'one person');
  const second = override?.secondPerson ?? false;
  if (wanted.second_person !== undefined && wanted.second_person !== second)
    differs(['operators', 'second_person'], 'what overriding takes', people(wanted.second_person), override ? people(second) : 'nobody: it is not possible');
}

/** A length of time that a scenario expects, against that of the plan; undefined where it has none. */
function compareTime({ differs, bad }: Trial, path: Path, what: string, wanted: string | undefined, gotMs: number | undefined): void {
  if (wanted === undefined) return;
  const wantedMs = parseDuration(wanted);
  if (wantedMs === undefined) bad(['expect', ...path], `${wanted} is no duration; write for example 30m, 2h or 1h30m`);
  else if (wantedMs !== gotMs) differs(path, what, durationText(wantedMs), gotMs === undefined ? 'not said' : durationText(gotMs));
}

const offeredBy = ({ offers }: Plan): string[] =>
  OFFERED.filter((name) => {
    switch (name) {
      case 'amount_at_most':
        return offers?.amountAtMost !== undefined;
      case 'only_recipients':
        return offers?.onlyRecipients !== undefined;
      case 'expires_within':
        return offers?.expiresWithinMs !== undefined;
      case 'options':
        return offers?.options !== undefined;
    }
  });

const effectsOf = ({ onTimeout }: Plan): string[] =>
  EFFECTS.filter((effect) => {
    switch (effect) {
      case 'pause_workflow':
        return onTimeout.pauseWorkflow !== undefined;
      case 'disable_credential':
        return onTimeout.disableCredentials !== undefined;
      case 'ticket':
        return onTimeout.ticket !== undefined;
      case 'tell_customer':
        return onTimeout.tellCustomer !== undefined;
    }
  });

function compareLadders({ doc, differs, bad }: Trial, plan: Plan): void {
  const wanted = doc.expect.sign_offs;
  if (!wanted) return;
  if (wanted.length !== plan.signOffs.length) {
    const who = (levels: readonly { readonly role: string }[]): string => levels.map((l) => l.role).join(', then ');
    const all = (list: readonly { readonly ladder: readonly { readonly role: string }[] }[]): string =>
      list.length === 0 ? 'nobody' : list.map((s) => who(s.ladder)).join('; and ');
    differs(['sign_offs'], 'who is asked', all(wanted), all(plan.signOffs));
    return;
  }
  for (const [i, want] of wanted.entries()) {
    const got = plan.signOffs[i];
    if (!got) continue;
    const here: Path = ['sign_offs', i];
    const which = `of sign-off ${got.id}`;
    if (want.lane !== undefined && want.lane !== got.lane) differs([...here, 'lane'], `the lane ${which}`, want.lane, got.lane);
    if (want.quorum !== undefined && want.quorum !== got.quorum) differs([...here, 'quorum'], `the quorum ${which}`, String(want.quorum), String(got.quorum));
    if (want.stage !== undefined && want.stage !== got.stage)
      differs([...here, 'stage'], `the stage ${which}`, String(want.stage), got.stage === undefined ? 'one of its own' : String(got.stage));
    const roles = (levels: readonly { readonly role: string }[]): string => levels.map((l) => l.role).join(', then ');
    if (roles(want.ladder) !== roles(got.ladder)) {
      differs([...here, 'ladder'], `the ladder ${which}`, roles(want.ladder), roles(got.ladder));
      continue;
    }
    for (const [n, level] of want.ladder.entries()) {
      const is = got.ladder[n];
      if (!is) continue;
      const at: Path = [...here, 'ladder', n];
      const whose = `of ${is.role} ${which}`;
      const withinMs = level.within === undefined ? undefined : parseDuration(level.within);
      if (level.within !== undefined && withinMs === undefined)
        bad(['expect', ...at, 'within'], `${level.within} is no duration; write for example 30m, 2h or 1h30m`);
      else if (withinMs !== undefined && withinMs !== is.withinMs)
        differs([...at, 'within'], `the time ${whose}`, durationText(withinMs), durationText(is.withinMs));
      if (level.name !== undefined && level.name !== is.name) differs([...at, 'name'], `the name ${whose}`, level.name, is.name);
      const calendar = is.calendar ?? 'elapsed';
      if (level.calendar !== undefined && level.calendar !== calendar) differs([...at, 'calendar'], `the calendar ${whose}`, level.calendar, calendar);
      if (level.channels && level.channels.join(' ') !== is.channels.join(' '))
        differs([...at, 'channels'], `the channels ${whose}`, level.channels.join(', '), is.channels.join(', '));
    }
  }
}

type Wanted = NonNullable<Expected['when_nobody_answers']>;

function compareSilence(trial: Trial, plan: Plan, { outcome, endsAt, moments }: Silence, wanted: Wanted): void {
  const { differs, from } = trial;
  const here = 'when_nobody_answers';
  if (outcome === null || endsAt === null) {
    differs([here], 'the end when nobody answers', wanted.outcome ?? 'one', `none: nobody is asked (${inWords(plan)})`);
    return;
  }
  if (wanted.outcome !== undefined && wanted.outcome !== outcome) differs([here, 'outcome'], 'the outcome when nobody answers', wanted.outcome, outcome);
  if (wanted.end !== undefined && wanted.end !== plan.onTimeout.end) differs([here, 'end'], 'the end of silence', wanted.end, plan.onTimeout.end);
  const effects = effectsOf(plan);
  if (wanted.effects && !sameSet(wanted.effects, effects)) differs([here, 'effects'], 'what silence brings with it', listed(wanted.effects), listed(effects));
  compareInstant(trial, [here], 'the end when nobody answers', wanted, endsAt);
  if (!wanted.timeline) return;
  const path = [here, 'timeline'];
  if (wanted.timeline.length !== moments.length) {
    const all = moments.map(({ at, what }) => `after ${durationText(ms(at) - ms(from))} ${what}`);
    differs(path, 'the timeline of silence', `${String(wanted.timeline.length)} steps`, `${String(moments.length)}: ${all.join('; ')}`);
    return;
  }
  for (const [i, step] of wanted.timeline.entries()) {
    const moment = moments[i];
    if (!moment) continue;
    if (!moment.what.includes(step.says)) differs([...path, i, 'says'], `step ${String(i + 1)} of silence`, `“${step.says}”`, `“${moment.what}”`);
    compareInstant(trial, [...path, i], `the time of step ${String(i + 1)} of silence`, step, moment.at);
  }
}

function compareInstant(
  { differs, bad, from }: Trial,
  path: Path,
  what: string,
  { after, at }: { readonly after?: string | undefined; readonly at?: string | undefined },
  got: Instant,
): void {
  const elapsed = ms(got) - ms(from);
  const afterMs = after === undefined ? undefined : /^0[smhd]$/.test(after) ? 0 : parseDuration(after);
  if (after !== undefined && afterMs === undefined) bad(['expect', ...path, 'after'], `${after} is no duration; write for example 30m, 2h or 1h30m`);
  else if (afterMs !== undefined && afterMs !== elapsed) differs([...path, 'after'], what, `after ${durationText(afterMs)}`, `after ${durationText(elapsed)}`);
  if (at !== undefined && ms(at) !== ms(got)) differs([...path, 'at'], what, `at ${new Date(at).toISOString()}`, `at ${got}`);
}
