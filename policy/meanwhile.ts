/**
 * What happens while a request waits: what the agent is told, with the detail it needs to act on it, what the operator does first, and what
 * Countersign carries out itself as soon as the request is open. Read from a row, merged over rows.
 *
 * The rule of merging: the strictest directive holds, with the strictest detail of the rows that give it; effects are the union, the first row
 * in order giving the words.
 * Pure.
 */
import { MEANWHILE, type Meanwhile, type MeanwhileAction, type MeanwhileEffects } from '../domain/plan';
import { placeOf, type At, type Declared } from './declare';
import { checkRole } from './ladder';
import type { CompiledRow } from './model';
import type { Report } from './report';
import type { DefaultsDocument, MeanwhileDocument } from './schema';
import { parseDuration } from './units';
import { need, type Work } from './work';

type Detail = 'retry_after' | 'alternative' | 'to_percent';

/** What a directive cannot be acted on without. */
const DETAILS: { readonly [D in Detail]: { readonly of: MeanwhileAction; readonly what: string; readonly mend: string } } = {
  retry_after: { of: 'retry_once', what: 'how long the agent waits before it tries again', mend: 'retry_after: 5m' },
  alternative: { of: 'degrade', what: 'which safe path the agent takes', mend: 'alternative: { type, params, summary }' },
  to_percent: { of: 'reduce_throughput', what: 'how much of the usual the agent still does', mend: 'to_percent: 50' },
};
const NAMES = Object.keys(DETAILS) as Detail[];

/** A row that asks. */
export function meanwhileOf(work: Work, defaults: DefaultsDocument): Meanwhile {
  const { row, declared, report } = work;
  const [own, inherited] = [row.doc.meanwhile ?? {}, defaults.meanwhile ?? {}];
  const agent = own.agent ?? inherited.agent;
  // Where it is not said what the agent does, that is the finding.
  if (agent !== undefined) demandDetail(work, agent, own, inherited);
  const place = (key: keyof MeanwhileDocument): At => (own[key] === undefined ? (declared.defaults?.at ?? row.at) : row.at);
  const { retry_after: after, alternative, to_percent: toPercent, effects } = { ...inherited, ...own };
  const retryAfterMs = after === undefined ? undefined : parseDuration(after);
  if (after !== undefined && retryAfterMs === undefined)
    report.error('bad_duration', placeOf(place('retry_after'), 'meanwhile', 'retry_after'), row.id, `${after} is no duration; write for example 5m`);
  if (alternative && !declared.actions.has(alternative.type))
    report.error(
      'unknown_action_type',
      placeOf(place('alternative'), 'meanwhile', 'alternative', 'type'),
      row.id,
      `There is no action ${alternative.type}; the safe path is one of ${[...declared.actions.keys()].join(', ')}`,
    );
  if (own.effects && Object.keys(own.effects).length === 0 && Object.keys(inherited.effects ?? {}).length === 0)
    report.error(
      'decorative_key',
      row.at.source.keyAt([...row.at.base, 'meanwhile', 'effects']),
      row.id,
      'effects: has none, and takes none away from the defaults; remove it, or name one',
    );
  const carried = effectsOf(effects, place('effects'), row.id, report);
  return {
    agent: agent ?? 'block',
    operator: own.operator ?? inherited.operator ?? '',
    ...(agent === 'retry_once' && after !== undefined ? { retryAfterMs: retryAfterMs ?? 1000 } : {}),
    ...(agent === 'degrade' && alternative ? { alternative } : {}),
    ...(agent === 'reduce_throughput' && toPercent !== undefined ? { toPercent } : {}),
    ...(carried ? { effects: carried } : {}),
  };
}

/** The detail of the directive has to be there; what the row says beside could have no effect. Of the defaults that is said once, for all rows. */
function demandDetail(work: Work, agent: MeanwhileAction, own: MeanwhileDocument, inherited: MeanwhileDocument): void {
  const { row, report } = work;
  for (const name of NAMES) {
    const { of, what, mend } = DETAILS[name];
    if (of === agent && own[name] === undefined && inherited[name] === undefined)
      need(work, 'missing_meanwhile_detail', `meanwhile.${name}`, what, `meanwhile: { agent: ${agent}, ${mend}, operator: … }`);
    if (of !== agent && own[name] !== undefined)
      report.error(
        'decorative_key',
        row.at.source.keyAt([...row.at.base, 'meanwhile', name]),
        row.id,
        `An agent that is told to ${agent} does nothing with ${name}:; remove it, or say agent: ${of}`,
      );
  }
}

function effectsOf(doc: MeanwhileDocument['effects'], at: At, row: string | null, report: Report): MeanwhileEffects | null {
  const { tell_customer: tellCustomer, open_case: openCase, raise_incident: raiseIncident, pause_credential: pauseCredential } = doc ?? {};
  for (const [key, task] of Object.entries({ open_case: openCase, raise_incident: raiseIncident }))
    if (task) checkRole(task.owner, placeOf(at, 'meanwhile', 'effects', key, 'owner'), row, report);
  const effects: MeanwhileEffects = {
    ...(tellCustomer ? { tellCustomer } : {}),
    ...(openCase ? { openCase } : {}),
    ...(raiseIncident ? { raiseIncident } : {}),
    ...(pauseCredential ? { pauseCredentials: [pauseCredential] } : {}),
  };
  return Object.keys(effects).length === 0 ? null : effects;
}

/** A detail in the defaults that no row's directive takes. */
export function checkMeanwhile({ defaults, rows, defaultRow }: Declared, compiled: readonly CompiledRow[], report: Report): void {
  if (!defaults) return;
  const all = [...rows, ...(defaultRow ? [defaultRow] : [])];
  for (const name of NAMES) {
    if (defaults.doc.meanwhile?.[name] === undefined) continue;
    const { of } = DETAILS[name];
    const taken = compiled.some((row) => asks(row) && row.meanwhile.agent === of && all.find(({ id }) => id === row.id)?.doc.meanwhile?.[name] === undefined);
    if (!taken)
      report.error(
        'decorative_key',
        defaults.at.source.keyAt([...defaults.at.base, 'meanwhile', name]),
        null,
        `No row that takes it from the defaults tells its agent to ${of}, so ${name}: has no effect; remove it`,
      );
  }
}

const asks = ({ effect }: CompiledRow): boolean => effect === 'approval' || effect === 'escalation';

/** `rows` in order, at least one. */
export function mergeMeanwhile(rows: readonly Pick<CompiledRow, 'meanwhile'>[]): Meanwhile {
  const all = rows.map((row) => row.meanwhile);
  const strict = all.reduce((a, b) => (MEANWHILE.indexOf(b.agent) > MEANWHILE.indexOf(a.agent) ? b : a));
  const alike = all.filter(({ agent }) => agent === strict.agent);
  const after = alike.flatMap(({ retryAfterMs }) => (retryAfterMs === undefined ? [] : [retryAfterMs]));
  const percent = alike.flatMap(({ toPercent }) => (toPercent === undefined ? [] : [toPercent]));
  const effects = uniteEffects(all);
  return {
    agent: strict.agent,
    operator: strict.operator,
    // Later, and less.
    ...(after.length === 0 ? {} : { retryAfterMs: Math.max(...after) }),
    ...(strict.alternative ? { alternative: strict.alternative } : {}),
    ...(percent.length === 0 ? {} : { toPercent: Math.min(...percent) }),
    ...(effects ? { effects } : {}),
  };
}

function uniteEffects(all: readonly Meanwhile[]): MeanwhileEffects | null {
  const effects = all.flatMap((one) => (one.effects ? [one.effects] : []));
  if (effects.length === 0) return null;
  const first = <K extends keyof MeanwhileEffects>(key: K): Pick<MeanwhileEffects, K> | object => {
    const found = effects.find((one) => one[key] !== undefined);
    return found ? { [key]: found[key] } : {};
  };
  const paused = effects.flatMap((one) => one.pauseCredentials ?? []);
  const pauseCredentials = paused.filter(({ credential }, i) => paused.findIndex((p) => p.credential === credential) === i);
  return {
    ...first('tellCustomer'),
    ...first('openCase'),
    ...first('raiseIncident'),
    ...(pauseCredentials.length === 0 ? {} : { pauseCredentials }),
  };
}
