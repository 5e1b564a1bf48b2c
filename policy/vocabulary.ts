/**
 * What conditions of this policy may name: the declared params and facts beside the names every policy has.
 * Pure. Params of all actions share one type per name, so that a condition can be type-checked once.
 */
import { createEngine, type Engine } from './cel/engine';
import { builtinNames, celType, type Names } from './cel/names';
import { placeOf, type Declared } from './declare';
import type { CompiledFact, CompiledSystemFact } from './model';
import { compileSystem, isGiven, providerOf } from './providers';
import type { Report } from './report';
import { typeName, type FieldType } from './units';

export interface Vocabulary {
  readonly names: Names;
  readonly engine: Engine;
  readonly facts: { readonly [name: string]: CompiledFact };
  /** Facts about the systems. */
  readonly system: { readonly [name: string]: CompiledSystemFact };
}

export function vocabularyOf(declared: Declared, report: Report): Vocabulary {
  const names = new Map<string, FieldType>(builtinNames([...declared.actions.keys()]));
  for (const [type, { params, at }] of declared.actions) {
    for (const [name, { type: field }] of params) {
      const path = `action.params.${name}`;
      const before = names.get(path);
      const merged = before ? merge(before, field) : field;
      if (merged) names.set(path, merged);
      else
        report.error(
          'conflicting_param',
          placeOf(at, 'params', name),
          null,
          `${name} of ${type} is ${typeName(field)}, but ${before ? typeName(before) : ''} in another action; one name has one type: rename one of the two`,
        );
    }
  }
  // A copy: a fact is computed from the request alone, never from another fact.
  const withoutFacts = createEngine(new Map(names));
  const facts: Record<string, CompiledFact> = {};
  for (const [name, fact] of declared.facts) {
    const { field, source, value, at } = fact;
    const provider = providerOf(declared, name, report);
    names.set(`facts.${name}`, field.type);
    let expression: CompiledFact['value'] = null;
    if (source === 'action') {
      if (value === null)
        report.error('bad_shape', placeOf(at), null, `The fact ${name} is computed from the action but does not say how; add value: with an expression`);
      else {
        const compiled = withoutFacts.compile(value, celType(field.type));
        for (const problem of compiled.problems)
          report.error(problem.code, at.source.within([...at.base, 'value'], problem.offset), null, `In the fact ${name}: ${problem.message}`);
        expression = compiled.expression;
      }
    } else if (value !== null) {
      report.error(
        'decorative_key',
        placeOf(at, 'value'),
        null,
        `The fact ${name} comes from source ${source}, so its value is never computed; remove value:, or say source: action`,
      );
    }
    for (const [i, type] of fact.requiredFor.entries()) {
      if (source === 'action')
        report.error(
          'decorative_key',
          placeOf(at, 'required_for'),
          null,
          `A fact that is computed from the action cannot be required of anybody; remove required_for: from ${name}`,
        );
      else if (!declared.actions.has(type))
        report.error(
          'unknown_action_type',
          placeOf(at, 'required_for', i),
          null,
          `There is no action ${type}; it is one of ${[...declared.actions.keys()].join(', ')}`,
        );
    }
    facts[name] = { name, type: field.type, source, value: expression, provider, requiredFor: fact.requiredFor };
  }
  for (const [name, { doc }] of declared.recent) names.set(`recent.${name}`, { kind: doc.sum === undefined ? 'int' : 'money' });
  const system = compileSystem(declared, report);
  for (const { name, type } of Object.values(system)) names.set(`system.${name}`, type);
  return { names, engine: createEngine(names, (path) => isGiven(declared, path)), facts, system };
}

/** Enums of one name are read as one enum with the values of both. */
function merge(a: FieldType, b: FieldType): FieldType | undefined {
  if (a.kind === 'enum' && b.kind === 'enum') return { kind: 'enum', values: [...new Set([...a.values, ...b.values])] };
  return a.kind === b.kind ? a : undefined;
}
