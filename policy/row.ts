/**
 * One row compiled: what it must say is demanded, what could have no effect is refused, the rest is taken from the defaults.
 * Pure.
 */
import type { Effect, Tier } from '../domain/plan';
import type { Expression } from './cel/engine';
import { placeOf, type Declared, type DeclaredRow } from './declare';
import { onDenyOf, onTimeoutOf, takeoverAtMostOf, takeoverOf } from './ends';
import { checkRole, compileExpedited, compileSignOffs, isParallel } from './ladder';
import { meanwhileOf } from './meanwhile';
import type { CompiledRow, CompiledSignOff } from './model';
import { asksForOf, offersOf } from './offers';
import type { Path } from './parse';
import { compileQuestions } from './questions';
import type { Report } from './report';
import type { Vocabulary } from './vocabulary';
import { need, type Work } from './work';

/** Keys that could have no effect on a row that asks nobody. */
const ASKING = [
  'ladder',
  'expedite',
  'sign_offs',
  'order',
  'amount',
  'on_timeout',
  'meanwhile',
  'takeover_within',
  'takeover_at_most',
  'questions',
  'same_person_allowed',
  'offers',
  'asks_for',
] as const;

export function compileRow(declared: Declared, vocabulary: Vocabulary, row: DeclaredRow, report: Report): CompiledRow {
  const work: Work = { declared, vocabulary, row, report };
  const { doc, at } = row;
  const defaults = declared.defaults?.doc ?? {};
  const effect = effectOf(work);
  const asks = effect === 'approval' || effect === 'escalation';
  if (!row.isDefault) demandTrigger(work);
  if (!asks) refuseDecoration(work, effect);
  if (effect === 'escalation') refuseAuthority(work);
  if (!asks && doc.excepts)
    report.error(
      'contradiction',
      placeOf(at, 'excepts'),
      row.id,
      'An exception is decided by a person; a row with excepts: asks somebody, so remove it, or the effect',
    );
  if (doc.refuser_allowed !== undefined && !doc.excepts)
    report.error(
      'decorative_key',
      at.source.keyAt([...at.base, 'refuser_allowed']),
      row.id,
      'Only an exception can be granted by who refused, so refuser_allowed: has no effect here; remove it, or name the rows under excepts:',
    );
  const lane = doc.lane ?? defaults.lane ?? '';
  if (lane === '') need(work, 'missing_lane', 'lane', 'which kind of judgment it is', `lane: ${[...declared.lanes.keys()].slice(0, 3).join(' or ')}`);
  else if (!declared.lanes.has(lane))
    report.error(
      'unknown_lane',
      placeOf(at, 'lane'),
      row.id,
      `There is no lane ${lane}; declare it under lanes, or use one of ${[...declared.lanes.keys()].join(', ')}`,
    );
  const owner = doc.owner ?? declared.lanes.get(lane)?.owner ?? defaults.owner ?? '';
  if (owner === '') need(work, 'missing_owner', 'owner', 'which role answers for this rule', 'owner: finance_manager');
  else checkRole(owner, placeOf(at, doc.owner === undefined ? 'id' : 'owner'), row.id, report);
  const tier = asks ? tierOf(work) : 'none';
  if (asks) demandAnswers(work);
  if (effect !== 'allow' && (doc.on_deny ?? defaults.on_deny) === undefined)
    need(work, 'missing_on_deny', 'on_deny', 'what the agent does on no', 'on_deny: { path: log the reason and end the run }');
  const why = doc.why ?? '';
  const signOffs = asks ? compileSignOffs(declared, row, lane, tier, report) : [];
  const takeoverMs = takeoverOf(work, defaults);
  return {
    id: row.id,
    effect,
    lane,
    owner,
    tier,
    when: condition(work, 'when'),
    unless: condition(work, 'unless'),
    supersedes: doc.supersedes ?? [],
    excepts: doc.excepts ?? [],
    refuserAllowed: doc.refuser_allowed ?? false,
    risk: doc.risk ?? defaults.risk ?? 'low',
    urgency: doc.urgency ?? defaults.urgency ?? 'routine',
    amount: amountOf(work),
    signOffs,
    parallel: isParallel(row),
    expedite: expediteOf(work, signOffs),
    offers: offersOf(work, effect),
    asksFor: asks ? asksForOf(work, effect) : null,
    meanwhile: asks
      ? meanwhileOf(work, defaults)
      : {
          agent: effect === 'block' ? 'block' : 'retry_once',
          operator: effect === 'block' ? 'nothing: the policy forbids it' : 'nothing: the policy allows it',
        },
    evidence: doc.evidence ?? (asks ? (defaults.evidence ?? []) : []),
    onTimeout: asks ? onTimeoutOf(work, defaults, signOffs) : { end: 'deny' },
    onDeny: onDenyOf(work, defaults, { asks, unseen: effect === 'approval' && tier === 'dual' }, signOffs),
    takeoverMs,
    takeoverAtMostMs: asks ? takeoverAtMostOf(work, defaults, takeoverMs) : null,
    questions: asks ? compileQuestions(work, defaults, signOffs) : null,
    samePersonAllowed: doc.same_person_allowed ?? false,
    provision: doc.provision ?? why,
    instruction: doc.instruction ?? why,
    at: placeOf(at, ...(row.isDefault ? [] : ['id'])),
    ownerAt: placeOf(at, doc.owner === undefined ? 'id' : 'owner'),
    whenAt: placeOf(at, 'when'),
  };
}

function effectOf({ row, report, declared }: Work): Effect {
  const { doc, at, id } = row;
  if (doc.effect === 'block') {
    if (doc.kind) report.error('contradiction', placeOf(at, 'kind'), id, 'A row either blocks or asks; remove effect: block or kind:');
    return 'block';
  }
  if (doc.tier === 'none') {
    if (doc.kind) report.error('contradiction', placeOf(at, 'kind'), id, 'Tier none allows without asking anybody; remove kind:, or choose another tier');
    return 'allow';
  }
  if (declared.defaults?.doc.tier === 'none' && doc.tier === undefined) {
    report.error(
      'contradiction',
      placeOf(declared.defaults.at, 'tier'),
      id,
      'Tier none as a default would allow every row that says nothing; say tier: none in the rows that allow',
    );
  }
  return doc.kind ?? 'approval';
}

function demandTrigger(work: Work): void {
  const { doc } = work.row;
  if (doc.when === undefined) need(work, 'missing_trigger', 'when', 'when it holds', 'when: action.params.amount > usd(250)');
  const { match = [], no_match: noMatch = [] } = doc.examples ?? {};
  if (match.length === 0 || noMatch.length === 0) {
    const which =
      match.length === 0 && noMatch.length === 0
        ? 'a request that matches and one that does not'
        : match.length === 0
          ? 'a request that matches'
          : 'a request that does not match';
    need(work, 'missing_examples', 'examples', `by example what it means: ${which} is missing`, 'examples: with match: and no_match:');
  }
}

function refuseDecoration({ row, report }: Work, effect: Effect): void {
  const keys = effect === 'block' ? [...ASKING, 'tier', 'evidence'] : [...ASKING, 'on_deny'];
  for (const key of keys) {
    if (Object.hasOwn(row.doc, key)) {
      report.error(
        'decorative_key',
        row.at.source.keyAt([...row.at.base, key]),
        row.id,
        `A row that ${effect === 'block' ? 'blocks' : 'allows'} asks nobody, so ${key}: has no effect; remove it`,
      );
    }
  }
}

/** A person who takes over decides alone, and not about an amount. */
function refuseAuthority({ row, report }: Work): void {
  if (row.doc.amount !== undefined) {
    report.error(
      'decorative_key',
      row.at.source.keyAt([...row.at.base, 'amount']),
      row.id,
      'An escalation is taken over, not signed off, so amount: has no effect; remove it, or say kind: approval',
    );
  }
  if ((row.doc.sign_offs?.length ?? 0) > 1) {
    report.error(
      'contradiction',
      placeOf(row.at, 'sign_offs', 1),
      row.id,
      'An escalation is taken over by one person; put the others onto its ladder, or into an approval row',
    );
  }
}

function tierOf(work: Work): Tier {
  const tier = work.row.doc.tier ?? work.declared.defaults?.doc.tier;
  if (tier === undefined) need(work, 'missing_tier', 'tier', 'how strong the yes has to be', 'tier: lightweight, strong or dual');
  return tier ?? 'strong';
}

/** What an agent, an operator and an approver have to know of a row that asks. */
function demandAnswers(work: Work): void {
  const { doc } = work.row;
  const defaults = work.declared.defaults?.doc ?? {};
  if ((doc.risk ?? defaults.risk) === undefined) need(work, 'missing_risk', 'risk', 'how much is at stake', 'risk: low, medium, high or critical');
  if ((doc.urgency ?? defaults.urgency) === undefined)
    need(work, 'missing_urgency', 'urgency', 'how urgent it is', 'urgency: routine, soon, urgent or immediate');
  if ((doc.meanwhile?.agent ?? defaults.meanwhile?.agent) === undefined)
    need(work, 'missing_meanwhile_agent', 'meanwhile.agent', 'what the agent does while it waits', 'meanwhile: { agent: freeze_decision, operator: … }');
  if ((doc.meanwhile?.operator ?? defaults.meanwhile?.operator) === undefined)
    need(work, 'missing_meanwhile_operator', 'meanwhile.operator', 'what the operator does first', 'meanwhile: { agent: …, operator: check the queue }');
  if ((doc.evidence ?? defaults.evidence) === undefined)
    need(work, 'missing_evidence', 'evidence', 'what has to be attached', 'evidence: [invoice], or evidence: [] when nothing has to be');
}

const condition = (work: Work, key: 'when' | 'unless'): Expression | null => conditionAt(work, work.row.doc[key], [key]);

function conditionAt({ row, vocabulary, report }: Work, text: string | undefined, path: Path): Expression | null {
  if (text === undefined) return null;
  const compiled = vocabulary.engine.compile(text, 'bool');
  for (const problem of compiled.problems) report.error(problem.code, row.at.source.within([...row.at.base, ...path], problem.offset), row.id, problem.message);
  return compiled.expression;
}

function expediteOf(work: Work, signOffs: readonly CompiledSignOff[]): CompiledRow['expedite'] {
  const { row, declared, report } = work;
  const when = conditionAt(work, row.doc.expedite?.when, ['expedite', 'when']);
  const ladder = compileExpedited(declared, row, signOffs, report);
  return when && ladder.length > 0 ? { when, ladder } : null;
}

function amountOf({ row, vocabulary, report }: Work): Expression | null {
  if (row.doc.amount === undefined) return null;
  const compiled = vocabulary.engine.compile(row.doc.amount, 'Money');
  for (const problem of compiled.problems)
    report.error(problem.code, row.at.source.within([...row.at.base, 'amount'], problem.offset), row.id, problem.message);
  return compiled.expression;
}
