/**
 * Conditions: parsed, guarded and type-checked once, evaluated at submit only (never in workflow code).
 * Pure: imports the expression engine. Evaluation answers a value or a sentence; it does not throw, so that no caller forgets the strict direction.
 */
import { Environment, EvaluationError, ParseError, type ASTNode } from '@marcbachmann/cel-js';
import { isMoney } from '../../domain/money';
import { admitted, shortcutOf } from './atoms';
import { guard, pathOf, EXPRESSION_CHARS_MAX, EXPRESSION_NODES_MAX, type Problem } from './guard';
import { CelMoney, registerMoney } from './money';
import { contextOf, schemaOf, type Names, type Reading } from './names';
import { wordsOf } from './words';

type Evaluated = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly why: string };

export interface Expression {
  /** As written. */
  readonly text: string;
  evaluate(reading: Reading): Evaluated;
  /** As parsed, for who asks what it could ever hold for. */
  readonly tree: ASTNode;
  /** The texts at `path` with which it may be anything else than false; null: with every text. */
  admits(path: string): ReadonlySet<string> | null;
  /** The text with the values it read: `action.params.amount (USD 480.00) > usd(250)`. */
  words(reading: Reading): string;
  /** What it is made of, down to the comparisons that && and || join, each with what came of it alone. For explanations. */
  parts(reading: Reading): readonly Part[];
}

export interface Part {
  readonly words: string;
  readonly held: 'held' | 'did_not_hold' | 'unevaluated';
}

type Compiled = { readonly expression: Expression; readonly problems: readonly [] } | { readonly expression: null; readonly problems: readonly Problem[] };

export interface Engine {
  /** `type` as the engine names it: `bool`, `Money`, `string`, … */
  compile(text: string, type: string): Compiled;
}

const LIMITS = { maxAstNodes: EXPRESSION_NODES_MAX, maxDepth: 40, maxListElements: 100, maxMapEntries: 1, maxCallArguments: 4 };

/** `isGiven`: of a path that a provider gives; {@link guard} does not let a condition ask whether it did. */
export function createEngine(names: Names, isGiven: (path: string) => boolean = () => false): Engine {
  const environment = new Environment({ limits: LIMITS });
  registerMoney(environment);
  for (const [name, declared] of Object.entries(schemaOf(names))) {
    if (typeof declared === 'string') environment.registerVariable(name, declared);
    else environment.registerVariable({ name, schema: declared });
  }
  // One request is read by every row: its context is built once.
  const contexts = new WeakMap<Reading, Record<string, unknown>>();
  const contextFor = (reading: Reading): Record<string, unknown> => {
    const context = contexts.get(reading) ?? contextOf(names, reading);
    contexts.set(reading, context);
    return context;
  };
  return { compile: (text, type) => compile({ environment, names, isGiven, contextFor }, text, type) };
}

interface Scope {
  readonly environment: Environment;
  readonly names: Names;
  readonly isGiven: (path: string) => boolean;
  readonly contextFor: (reading: Reading) => Record<string, unknown>;
}

const HELD: Evaluated = { ok: true, value: true };
const DID_NOT_HOLD: Evaluated = { ok: true, value: false };

const broken = (...problems: Problem[]): Compiled => ({ expression: null, problems });

function compile(scope: Scope, text: string, type: string): Compiled {
  const { environment, names, isGiven, contextFor } = scope;
  if (text.length > EXPRESSION_CHARS_MAX) {
    return broken({
      code: 'cel_too_long',
      offset: 0,
      message: `The condition has ${text.length} characters, more than ${EXPRESSION_CHARS_MAX}; split it over two rows or compute a fact`,
    });
  }
  let parsed;
  try {
    parsed = environment.parse(text);
  } catch (error) {
    return broken(parseProblem(error));
  }
  const problems = guard(parsed.ast, names, isGiven);
  if (problems.length > 0) return broken(...problems);
  const checked = parsed.check();
  if (!checked.valid) return broken(typeProblem(checked.error));
  if (checked.type !== type) {
    const mend = type === 'bool' ? 'write a comparison that holds or does not' : `it has to give ${type}`;
    return broken({ code: 'cel_type', offset: 0, message: `This gives ${checked.type ?? 'nothing'}, not ${type}; ${mend}` });
  }
  const run = parsed;
  const ast: ASTNode = parsed.ast;
  const shortcut = type === 'bool' ? shortcutOf(ast, names) : null;
  const path = pathOf(ast);
  const money = path !== undefined && names.get(path)?.kind === 'money' ? path : null;
  return {
    expression: {
      text,
      tree: ast,
      admits: (path) => admitted(ast, names, path),
      evaluate: (reading) => {
        const known = shortcut?.(reading);
        if (known !== undefined) return known ? HELD : DID_NOT_HOLD;
        const amount = money === null ? undefined : reading.get(money);
        if (isMoney(amount)) return { ok: true, value: CelMoney.of(amount) };
        try {
          return { ok: true, value: run(contextFor(reading)) as unknown };
        } catch (error) {
          return { ok: false, why: error instanceof EvaluationError ? error.summary : error instanceof Error ? error.message : String(error) };
        }
      },
      words: wordsOf(ast, text, names),
      parts: (reading) =>
        operandsOf(ast).map(({ start, end }) => {
          const part = compile(scope, text.slice(start, end), 'bool').expression;
          const verdict = part?.evaluate(reading);
          const held = verdict?.ok !== true ? 'unevaluated' : verdict.value === true ? 'held' : 'did_not_hold';
          return { words: part?.words(reading) ?? text.slice(start, end), held };
        }),
    },
    problems: [],
  };
}

/** The operands of && and ||, however they are nested. */
function operandsOf(node: ASTNode): ASTNode[] {
  return node.op === '&&' || node.op === '||' ? node.args.flatMap(operandsOf) : [node];
}

function parseProblem(error: unknown): Problem {
  const offset = error instanceof ParseError ? (error.range?.start ?? 0) : 0;
  const what = error instanceof ParseError ? error.summary : error instanceof Error ? error.message : String(error);
  if (/maximum|exceed|limit/i.test(what))
    return { code: 'cel_too_complex', offset, message: `The condition is too complex (${what}); split it over two rows or compute a fact` };
  if (/reserved|macro/i.test(what)) return { code: 'cel_forbidden', offset, message: `${what}; it cannot be used in a condition` };
  return { code: 'cel_syntax', offset, message: `This is no condition: ${what}; write for example action.params.amount > usd(250)` };
}

function typeProblem(error: { readonly summary: string; readonly range?: { readonly start: number } } | undefined): Problem {
  const what = error?.summary ?? 'the types do not fit';
  const offset = error?.range?.start ?? 0;
  if (/\bint (==|!=) double\b|\bdouble (==|!=) int\b/.test(what)) {
    return { code: 'cel_int_double', offset, message: `${what}: a whole number and a decimal are never compared with == here; write 250.0 for a decimal` };
  }
  return { code: 'cel_type', offset, message: `The types do not fit: ${what}` };
}
