/**
 * The examples of a row are tests: those under match meet its trigger, those under no_match do not.
 * Pure. They are partial requests: what an example leaves out is absent, and money may be written as `250.01 USD`.
 */
import type { Json, JsonObject } from '../domain/json';
import { placeOf, type DeclaredRow } from './declare';
import type { CompiledRow } from './model';
import { givenAt } from './providers';
import { read, type Declaring, type RawReading } from './reading';
import type { Report } from './report';
import type { ExampleDocument } from './schema';
import { parseMoney, type FieldType } from './units';

export function checkExamples(policy: Declaring, row: CompiledRow, declared: DeclaredRow, report: Report): void {
  const { examples } = declared.doc;
  if (!examples || !row.when) return;
  for (const list of ['match', 'no_match'] as const) {
    for (const [i, example] of examples[list].entries()) checkOne(policy, row, declared, list, i, example, report);
  }
}

function checkOne(
  policy: Declaring,
  row: CompiledRow,
  declared: DeclaredRow,
  list: 'match' | 'no_match',
  index: number,
  example: ExampleDocument,
  report: Report,
): void {
  const place = (...path: string[]) => placeOf(declared.at, 'examples', list, index, ...path);
  const { reading, issues } = read(policy, rawOf(policy, example), false);
  for (const { code, path, message } of issues) {
    const at = place(...path.split('.'));
    report.error(code === 'unknown_action' ? 'unknown_action_type' : 'example_bad', at, row.id, `Example ${index + 1} under ${list} is no request: ${message}`);
  }
  if (issues.length > 0 || !row.when) return;
  const trigger = row.when.evaluate(reading);
  if (!trigger.ok) {
    const strict = row.effect === 'allow' ? 'not met' : 'met';
    report.error(
      'example_unevaluable',
      place(),
      row.id,
      `Example ${index + 1} under ${list} cannot be evaluated (${trigger.why}), and would count as ${strict}; give it what the trigger reads, or guard the trigger with action.type == "…" or has(…)`,
    );
    return;
  }
  const unless = row.unless?.evaluate(reading);
  const holds = trigger.value === true && !(unless?.ok === true && unless.value === true);
  if (holds === (list === 'match')) return;
  report.error(
    'example_fails',
    place(),
    row.id,
    `Example ${index + 1} under ${list} ${holds ? 'matches' : 'does not match'}: ${row.when.words(reading)}; mend the trigger, or move the example`,
  );
}

function rawOf(policy: Declaring, { action, facts, recent, provided, system, evidence, requester, tenant, exception }: ExampleDocument): RawReading {
  const written = withMoney(policy, { type: action.type, params: action.params, facts, recent, provided, system });
  return {
    action: { ...action, params: written.params },
    facts: written.facts,
    recent: written.recent,
    provided: byPath(written),
    evidence,
    requester: { agent: requester.agent, run: requester.run, onBehalfOf: requester.on_behalf_of },
    tenant,
    ...(exception ? { exception: { outcome: exception.outcome, by: exception.by.map((role) => ({ role })) } } : {}),
  };
}

interface Values {
  readonly params: JsonObject;
  readonly facts: JsonObject;
  readonly recent: JsonObject;
  /** Of providers: about the request, and about the systems. */
  readonly provided: JsonObject;
  readonly system: JsonObject;
}

/** What providers say, by the path that conditions read it under. */
export const byPath = ({ provided, system }: Pick<Values, 'provided' | 'system'>): JsonObject =>
  Object.fromEntries([
    ...Object.entries(provided).map(([name, value]) => [`facts.${name}`, value] as const),
    ...Object.entries(system).map(([name, value]) => [`system.${name}`, value] as const),
  ]);

/** Money is sent as minor units, and written as `250.01 USD` where people write it. */
export function withMoney(
  policy: Pick<Declaring, 'actions' | 'facts' | 'system'>,
  { type, params, facts, recent, provided, system }: Values & { readonly type: string },
): Values {
  const declared = Object.hasOwn(policy.actions, type) ? policy.actions[type]?.params : undefined;
  return {
    params: moneyIn(params, (name) => (declared && Object.hasOwn(declared, name) ? declared[name]?.type : undefined)),
    facts: moneyIn(facts, (name) => (Object.hasOwn(policy.facts, name) ? policy.facts[name]?.type : undefined)),
    recent: moneyIn(recent, () => ({ kind: 'money' })),
    provided: moneyIn(provided, (name) => givenAt(policy, `facts.${name}`)?.type),
    system: moneyIn(system, (name) => givenAt(policy, `system.${name}`)?.type),
  };
}

function moneyIn(values: JsonObject, typeOf: (name: string) => FieldType | undefined): JsonObject {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]): [string, Json] => {
      const money = typeOf(name)?.kind === 'money' && typeof value === 'string' ? parseMoney(value) : undefined;
      return [name, money ? { minor: money.minor, currency: money.currency } : value];
    }),
  );
}
