/**
 * Two versions of a policy, and what changed between them in words that a person can review.
 * Pure. It compares what the files mean, not how they are written: a comment, an example or a moved line is no change.
 */
import { compareMoney, formatMoney } from '../domain/money';
import { MEANWHILE, OPERATORS, QUESTIONS, TIERS, type Calendar, type Level, type OnTimeout, type Operators, type PolicyRef } from '../domain/plan';
import type { CompiledFact, CompiledPolicy, CompiledRecent, CompiledRow, CompiledSignOff, CompiledSystemFact } from './model';
import { RISKS } from './schema';
import { EFFECTS } from './strictest';
import { durationText, parseDuration, typeName, type Field } from './units';
import { detailWords, effectsInWords } from './words';

type Kind = 'row' | 'operators' | 'authority' | 'lane' | 'action' | 'fact' | 'provider' | 'system fact' | 'relative role' | 'recent' | 'calendar' | 'order';

interface Detail {
  readonly what: string;
  /** Null where there was nothing. */
  readonly before: string | null;
  /** Null where there is nothing any more. */
  readonly after: string | null;
  /** Whether less is asked than before, as far as that can be said without a request. */
  readonly loosens: boolean;
}

interface Change {
  readonly kind: Kind;
  readonly name: string;
  readonly change: 'added' | 'removed' | 'changed';
  readonly loosens: boolean;
  readonly details: readonly Detail[];
}

export interface PolicyDiff {
  readonly before: PolicyRef;
  readonly after: PolicyRef;
  readonly changes: readonly Change[];
}

/** One thing that a policy declares: what it says, aspect by aspect, in the order a reader wants it. */
interface Thing {
  readonly kind: Kind;
  readonly name: string;
  readonly aspects: ReadonlyMap<string, string | null>;
  /** `asks`: without it less is asked; `lets`: with it. Null: it does neither by itself. */
  readonly weight: 'asks' | 'lets' | null;
}

export function diffPolicies(before: CompiledPolicy, after: CompiledPolicy): PolicyDiff {
  const [old, now] = [thingsOf(before), thingsOf(after)];
  const same = (a: Thing) => (b: Thing) => a.kind === b.kind && a.name === b.name;
  const gone = old.filter((thing) => !now.some(same(thing))).map((thing) => whole(thing, 'removed'));
  const others = now.flatMap((thing) => {
    const was = old.find(same(thing));
    if (!was) return [whole(thing, 'added')];
    const details = detailsOf(was, thing).map((d) => (thing.kind === 'authority' ? { ...d, loosens: reaches(before, after, thing.name) } : d));
    return details.length === 0 ? [] : [{ kind: thing.kind, name: thing.name, change: 'changed', loosens: details.some((d) => d.loosens), details } as const];
  });
  return { before: refOf(before), after: refOf(after), changes: [...gone, ...others] };
}

/** Whether a role may sign for more than before; across currencies nobody can say that it does not. */
function reaches(before: CompiledPolicy, after: CompiledPolicy, role: string): boolean {
  const [was, now] = [before.authority[role] ?? null, after.authority[role] ?? null];
  if (was === null || now === null) return now === null;
  return was.currency !== now.currency || compareMoney(now, was) > 0;
}

const refOf = ({ name, version, hash }: CompiledPolicy): PolicyRef => ({ name, version, hash });

function whole({ kind, name, aspects, weight }: Thing, change: 'added' | 'removed'): Change {
  const details = [...aspects].flatMap(([what, words]): Detail[] =>
    words === null ? [] : [{ what, before: change === 'removed' ? words : null, after: change === 'added' ? words : null, loosens: false }],
  );
  return { kind, name, change, loosens: weight === (change === 'removed' ? 'asks' : 'lets'), details };
}

function detailsOf(old: Thing, now: Thing): Detail[] {
  return [...new Set([...old.aspects.keys(), ...now.aspects.keys()])].flatMap((what) => {
    const [before, after] = [old.aspects.get(what) ?? null, now.aspects.get(what) ?? null];
    return before === after ? [] : [{ what, before, after, loosens: loosens(what, before, after) }];
  });
}

/** Aspects whose words have an order, the one that asks least first. */
const ORDERS: { readonly [what: string]: readonly string[] } = { effect: EFFECTS, tier: TIERS, risk: RISKS, meanwhile: MEANWHILE };

/** Whether less is asked: further down in an order, fewer signatures, less to attach, one more way out. */
function loosens(what: string, before: string | null, after: string | null): boolean {
  const order = ORDERS[what];
  if (order) return order.indexOf(after ?? '') < order.indexOf(before ?? '');
  const [had, has] = [namesIn(before), namesIn(after)];
  switch (what) {
    case 'signatures':
      return Number(after) < Number(before);
    case 'evidence':
      return had.some((name) => !has.includes(name));
    case 'makes an exception to':
    case 'supersedes':
      return has.some((name) => !had.includes(name));
    case 'unless':
    case 'one person may sign twice':
    case 'who refused may grant it':
      return after !== null;
    case 'source':
      return after === 'agent';
    case 'amount':
      return after === null;
    case 'operators are':
    case 'may override':
    case 'overridden by':
    case 'glass broken by':
      return has.some((name) => !had.includes(name));
    case 'an override takes':
      return before === TWO_PEOPLE && after !== null;
    case 'while a question is open':
    case 'a no':
      return after !== null;
    case 'a question waits':
      return lasts(after, QUESTIONS.withinMs) > lasts(before, QUESTIONS.withinMs);
    case 'questions':
      return Number(after ?? QUESTIONS.atMost) > Number(before ?? QUESTIONS.atMost);
    case 'with updates, who took over has':
    case 'a level may be extended by':
      return lasts(after, 0) > lasts(before, 0);
    default:
      return false;
  }
}

/** A duration that stands in a change, or what holds where none is said. */
const lasts = (words: string | null, unsaid: number): number => (words === null ? unsaid : (parseDuration(words) ?? 0));

const namesIn = (words: string | null): string[] => words?.split(', ') ?? [];

function thingsOf(policy: CompiledPolicy): Thing[] {
  const thing = (kind: Kind, name: string, aspects: Thing['aspects'], weight: Thing['weight'] = null): Thing => ({ kind, name, aspects, weight });
  const each = <T>(kind: Kind, values: { readonly [name: string]: T }, words: (value: T) => [string, string | null][]): Thing[] =>
    Object.entries(values).map(([name, value]) => thing(kind, name, new Map(words(value)), kind === 'authority' ? 'lets' : null));
  return [
    ...[...policy.rows, policy.defaultRow].map((row) =>
      thing('row', row.id, rowAspects(row), row.effect === 'allow' || row.excepts.length > 0 ? 'lets' : 'asks'),
    ),
    thing('order', 'order of rows', new Map([['first to last', policy.rows.map((r) => r.id).join(', ') || null]])),
    thing('operators', 'operators', new Map(operatorAspects(policy.operators?.said ?? OPERATORS))),
    ...each('authority', policy.authority, (limit) => [['may sign up to', limit === null ? 'any amount' : formatMoney(limit)]]),
    ...each('lane', policy.lanes, ({ owner }) => [['owner', owner]]),
    ...each('action', policy.actions, ({ params }) => Object.entries(params).map(([name, field]) => [`param ${name}`, fieldWords(field)])),
    ...each('fact', policy.facts, factAspects),
    ...each('provider', policy.providers, ({ withinMs }) => [['may take', durationText(withinMs)]]),
    ...each('system fact', policy.system, systemAspects),
    ...each('relative role', policy.relativeRoles, ({ of, backup }) => [
      ['of', of],
      ['backup', backup],
    ]),
    ...each('recent', policy.recent, recentAspects),
    ...each('calendar', policy.calendars, calendarAspects),
  ];
}

const listed = (names: readonly string[]): string | null => (names.length === 0 ? null : names.join(', '));
const fieldWords = ({ type, optional }: Field): string => `${typeName(type)}${optional ? ', may be left out' : ''}`;

function rowAspects(row: CompiledRow): Thing['aspects'] {
  const asks = row.effect === 'approval' || row.effect === 'escalation';
  return new Map<string, string | null>([
    ['effect', row.effect],
    ['trigger', row.when?.text ?? null],
    ['unless', row.unless?.text ?? null],
    ['makes an exception to', listed(row.excepts)],
    ['supersedes', listed(row.supersedes)],
    ['lane', row.lane],
    ['owner', row.owner],
    ['tier', row.tier],
    ['risk', row.risk],
    ['urgency', row.urgency],
    ['amount', row.amount?.text ?? null],
    // Those that are always needed; one only above an authority may not be.
    ['signatures', String(row.signOffs.filter((s) => !s.onlyAbove).reduce((sum, s) => sum + s.quorum, 0))],
    ['who is asked', row.signOffs.map(signOffWords).join(row.parallel ? '; and at the same time ' : '; and ') || null],
    ['when time presses', row.expedite ? `${ladderWords(row.expedite.ladder)}, where ${row.expedite.when.text}` : null],
    ['evidence', listed(row.evidence)],
    ['meanwhile', asks ? row.meanwhile.agent : null],
    ['in detail', asks ? detailWords(row.meanwhile) : null],
    [
      'carried out meanwhile',
      effectsInWords(row.meanwhile.effects ?? {})
        .map(([, words]) => words)
        .join('; ') || null,
    ],
    ['the operator', asks ? row.meanwhile.operator : null],
    ['when nobody answers', asks ? timeoutWords(row.onTimeout) : null],
    ['on no', row.effect === 'allow' ? null : `${row.onDeny.path}${row.onDeny.tellRequester ? '; the requester is told' : ''}${noticeWords(row.onDeny)}`],
    ['a no', row.onDeny.oneNo === undefined ? null : 'goes to the next level'],
    ['who took over has', asks ? durationText(row.takeoverMs) : null],
    ['with updates, who took over has', row.takeoverAtMostMs === null ? null : durationText(row.takeoverAtMostMs)],
    ...questionAspects(row.questions),
    ['one person may sign twice', row.samePersonAllowed ? 'yes' : null],
    ['who refused may grant it', row.refuserAllowed ? 'yes' : null],
    ['may be added to a yes', row.offers ? offerWords(row.offers) || null : null],
    ['a yes has to choose', row.offers?.options ? namedWords(row.offers.options) : null],
    ['the person is asked for', row.asksFor ? namedWords(row.asksFor) : null],
    ['provision', row.provision || null],
    ['instruction', row.instruction || null],
  ]);
}

/** What is as it is without saying so is left out. */
const questionAspects = (said: CompiledRow['questions']): [string, string | null][] => {
  const { clock, withinMs, atMost } = said ?? QUESTIONS;
  return [
    ['while a question is open', clock === QUESTIONS.clock ? null : 'the clock stands still'],
    ['a question waits', withinMs === QUESTIONS.withinMs ? null : durationText(withinMs)],
    ['questions', atMost === QUESTIONS.atMost ? null : String(atMost)],
  ];
};

const TWO_PEOPLE = 'two people';

const operatorAspects = ({ roles, extendAtMostMs, override, breakGlass }: Operators): [string, string | null][] => [
  ['operators are', listed(roles)],
  ['a level may be extended by', extendAtMostMs === undefined ? null : durationText(extendAtMostMs)],
  ['overridden by', override ? listed(override.roles) : null],
  ['may override', override ? listed(override.may) : null],
  ['an override takes', override ? (override.secondPerson ? TWO_PEOPLE : 'one person') : null],
  ['reasons of an override', override ? namedWords(override.reasons) : null],
  ['glass broken by', breakGlass ? listed(breakGlass.roles) : null],
  ['a broken glass is reviewed', breakGlass ? `in ${breakGlass.review.queue} by ${breakGlass.review.owner}: ${breakGlass.review.title}` : null],
];

const namedWords = (named: { readonly [name: string]: string }): string =>
  Object.entries(named)
    .map(([name, words]) => `${name} (${words})`)
    .join(', ');

const offerWords = ({ amountAtMost, onlyRecipients, expiresWithinMs }: NonNullable<CompiledRow['offers']>): string =>
  [
    ...(amountAtMost ? [`${amountAtMost.param} up to ${amountAtMost.atMost ? formatMoney(amountAtMost.atMost) : 'what was asked'}`] : []),
    ...(onlyRecipients ? [`some of ${onlyRecipients.param}`] : []),
    ...(expiresWithinMs === undefined ? [] : [`an end within ${durationText(expiresWithinMs)}`]),
  ].join(', ');

const signOffWords = ({ lane, quorum, ladder, onlyAbove }: CompiledSignOff): string =>
  `${ladderWords(ladder)} (${[lane, ...(quorum > 1 ? [`${String(quorum)} people`] : []), ...(onlyAbove ? ['only above the authority of the one before'] : [])].join(', ')})`;

const ladderWords = (ladder: readonly Level[]): string => ladder.map(levelWords).join(', then ');

function levelWords({ name, role, withinMs, calendar, channels, reminders }: Level): string {
  const reminded = reminders.length === 0 ? '' : `, reminded at ${reminders.map((r) => `${String(Math.round(r * 100))}%`).join(' and ')}`;
  const who = name === role.replaceAll('_', ' ') ? name : `${name} (${role})`;
  return `${who} for ${durationText(withinMs)}${calendar === null ? '' : ` of ${calendar}`} by ${channels.join(' or else ')}${reminded}`;
}

function timeoutWords({ end, hold, alternative, ticket, pauseWorkflow, disableCredentials = [], ...notice }: OnTimeout): string {
  return [
    hold ? `hold for ${hold.role}, ${durationText(hold.forMs)}, then ${hold.then}` : alternative ? `instead ${alternative.type}: ${alternative.summary}` : end,
    ...(ticket ? [`a ticket in ${ticket.queue} for ${ticket.owner}: ${ticket.title}`] : []),
    ...(pauseWorkflow ? [`the agent is paused: ${pauseWorkflow.reason}`] : []),
    ...disableCredentials.map(({ credential, reason }) => `the credential ${credential} is disabled: ${reason}`),
  ]
    .join('; ')
    .concat(noticeWords(notice));
}

const noticeWords = ({ tellCustomer }: Pick<OnTimeout, 'tellCustomer'>): string =>
  tellCustomer ? `; the customer is told “${tellCustomer.subject}: ${tellCustomer.text}”` : '';

const factAspects = ({ type, source, provider, value, requiredFor }: CompiledFact): [string, string | null][] => [
  ['type', typeName(type)],
  ['source', source],
  ['provider', provider],
  ['value', value?.text ?? null],
  ['required for', listed(requiredFor)],
];

const systemAspects = ({ type, provider }: CompiledSystemFact): [string, string | null][] => [
  ['type', typeName(type)],
  ['provider', provider],
];

const recentAspects = ({ of, per, withinMs, sum }: CompiledRecent): [string, string | null][] => [
  ['of', listed(of)],
  ['per', per],
  ['within', durationText(withinMs)],
  ['value', sum === null ? 'their count' : `the sum of ${sum}`],
];

const DAYS = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];
const clock = (minutes: number): string => `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`;

const calendarAspects = ({ zone, week, closed, region }: Calendar): [string, string | null][] => [
  ['zone', zone],
  ...week.map((spans, day): [string, string | null] => [DAYS[day] ?? '', spans.map(([from, to]) => `${clock(from)}-${clock(to)}`).join(', ') || null]),
  ['holidays of', region],
  ['closed on', listed(closed)],
];

/** Of which there is one, so that its name says what it is. */
const BARE: readonly Kind[] = ['order', 'operators'];

/** Longer texts stand on lines of their own, so that two of them can be read against each other. */
const SHORT = 60;

export function formatDiff({ before, after, changes }: PolicyDiff): string {
  const title = ({ name, version, hash }: PolicyRef): string => `${name} ${version} (${hash.slice(0, 12)})`;
  const head = `${title(before)} to ${title(after)}`;
  if (before.hash === after.hash) return `${head}: the same policy`;
  if (changes.length === 0) return `${head}: nothing that routes a request changed, only its words for readers, its examples or its name`;
  return [
    head,
    ...changes.flatMap(({ kind, name, change, loosens, details }) => [
      '',
      `${BARE.includes(kind) ? '' : `${kind} `}${name}: ${change}${loosens ? ' (less is asked)' : ''}`,
      ...details.flatMap((detail) => detailLines(detail, change)),
    ]),
  ].join('\n');
}

function detailLines({ what, before, after, loosens }: Detail, change: Change['change']): string[] {
  if (change !== 'changed') return [`  ${what}: ${after ?? before ?? ''}`];
  const mark = loosens ? '  (less is asked)' : '';
  const [was, now] = [before ?? 'none', after ?? 'none'];
  if (was.length + now.length <= SHORT) return [`  ${what}: ${now}, was ${was}${mark}`];
  return [`  ${what}:${mark}`, `    was  ${was}`, `    now  ${now}`];
}

/** How many changes a line names; the others are counted. */
const NAMED = 3;

/** The same in one line: what changed, and whether less is asked. */
export function summarizeDiff({ before, after, changes }: PolicyDiff): string {
  if (before.hash === after.hash) return 'the same policy';
  if (changes.length === 0) return 'only words, examples or its name';
  const inWords = ({ kind, name, change, loosens }: Change): string =>
    `${kind === 'row' || BARE.includes(kind) ? '' : `${kind} `}${name} ${change}${loosens ? ' (less is asked)' : ''}`;
  // What loosens is never among those that are only counted.
  const ordered = [...changes].sort((a, b) => Number(b.loosens) - Number(a.loosens));
  const shown = Math.max(NAMED, ordered.filter((c) => c.loosens).length);
  const more = ordered.length - shown;
  return `${ordered.slice(0, shown).map(inWords).join('; ')}${more > 0 ? `; and ${String(more)} more` : ''}`;
}
