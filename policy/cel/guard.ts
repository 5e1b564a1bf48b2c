/**
 * What a condition may be, before it is ever evaluated: short, flat, and made only of what the policy language names.
 * An allowlist: a function or form that is not named here is refused, so a new one of the engine is never let in by an update.
 * Pure: imports the engine's types.
 */
import type { ASTNode } from '@marcbachmann/cel-js';
import type { FindingCode } from '../report';
import { amountOf, MONEY_FUNCTIONS } from './money';
import { isObject, type Names } from './names';

export const EXPRESSION_CHARS_MAX = 1000;
export const EXPRESSION_NODES_MAX = 300;
const UNARY_MAX = 40;

/** What is wrong with a condition, and at which of its characters. */
export interface Problem {
  readonly code: FindingCode;
  readonly offset: number;
  readonly message: string;
}

// Those that answer yes or no: one that builds a list has no use in a condition, and grows with its input.
const COMPREHENSIONS = ['exists', 'all', 'exists_one'];
const METHODS = ['contains', 'startsWith', 'endsWith', 'size', ...COMPREHENSIONS];
const FUNCTIONS = ['has', 'size', 'int', 'double', 'string', 'abs', ...Object.keys(MONEY_FUNCTIONS)];
const OPERATORS = ['==', '!=', 'in', '+', '-', '*', '/', '%', '<', '<=', '>', '>=', '||', '&&', '?:'];
const REFUSED_FORMS: Readonly<Record<string, string>> = { '.?': 'optional access', '[?]': 'optional access', map: 'a map' };

/** `action.params.amount` for a chain of plain names; undefined for anything else. */
export function pathOf(node: ASTNode): string | undefined {
  if (node.op === 'id') return node.args;
  if (node.op !== '.') return undefined;
  const before = pathOf(node.args[0]);
  return before === undefined ? undefined : `${before}.${node.args[1]}`;
}

const rootOf = (path: string): string => path.split('.')[0] ?? '';

interface Scope {
  readonly names: Names;
  readonly isGiven: (path: string) => boolean;
  readonly problems: Problem[];
  /** The variable of the comprehension we are in, if in one. */
  readonly variable: string | null;
}

/** Everything wrong with a parsed condition; empty when it may be evaluated. `isGiven`: of a path that a provider gives. */
export function guard(ast: ASTNode, names: Names, isGiven: (path: string) => boolean = () => false): Problem[] {
  const problems: Problem[] = [];
  const nodes = walk(ast, { names, isGiven, problems, variable: null });
  if (nodes > EXPRESSION_NODES_MAX) {
    problems.push({
      code: 'cel_too_complex',
      offset: 0,
      message: `The condition has ${nodes} parts, more than ${EXPRESSION_NODES_MAX}; split it over two rows or compute a fact`,
    });
  }
  return problems;
}

/** Checks `node` and what is below it; answers how many nodes there are. */
function walk(node: ASTNode, scope: Scope): number {
  const below = (nodes: readonly ASTNode[], inner: Scope = scope): number => nodes.reduce((sum, n) => sum + walk(n, inner), 1);
  const refuse = (code: FindingCode, message: string): void => {
    scope.problems.push({ code, offset: node.start, message });
  };
  switch (node.op) {
    case 'value':
      if (node.args !== null && typeof node.args === 'object') refuse('cel_forbidden', 'Bytes and unsigned numbers have no use in a condition; remove them');
      // Else it would be compared as it is, with what no request can hold.
      if (typeof node.args === 'bigint' && BigInt.asIntN(64, node.args) !== node.args)
        refuse('cel_constant', 'This number is beyond what a whole number can be; write one of at most 64 bits');
      return 1;
    case 'id':
    case '.':
      return access(node, scope);
    case '[]': {
      const index = node.args[1];
      if (index.op !== 'value' || typeof index.args !== 'bigint')
        refuse('cel_forbidden', 'Only a list and a whole number go with [ ]; write the name behind a dot instead');
      return below(node.args);
    }
    case 'list':
      return below(node.args);
    case '!_':
    case '-_': {
      // The parser's own limit does not count these.
      const signs = unaryDepth(node);
      if (signs <= UNARY_MAX) return below([node.args]);
      refuse('cel_too_complex', `There are ${signs} signs in a row here, more than ${UNARY_MAX}; one is enough`);
      return signs;
    }
    case 'call':
      return call(node, node.args[0], node.args[1], scope);
    case 'rcall': {
      const [name, receiver, args] = node.args;
      if (!METHODS.includes(name)) {
        refuse('cel_forbidden', `${name}() is not part of the policy language; it has ${METHODS.map((m) => `.${m}()`).join(', ')}`);
        return below([receiver, ...args]);
      }
      if (!COMPREHENSIONS.includes(name)) return below([receiver, ...args]);
      const [variable, ...parts] = args;
      if (!variable) return below([receiver]);
      if (scope.variable !== null)
        refuse('cel_nested', `A .${name}() inside another one may run for ever on long lists; write it as two conditions joined by &&`);
      if (variable.op === 'id' && isKnownRoot(scope.names, variable.args))
        refuse('cel_forbidden', `${variable.args} already names something here; call the variable something else`);
      const inner: Scope = { ...scope, variable: variable.op === 'id' ? variable.args : '' };
      return walk(receiver, scope) + below(parts, inner) + 1;
    }
    case '==':
    case '!=':
      enumLiteral(node.args[0], node.args[1], scope);
      enumLiteral(node.args[1], node.args[0], scope);
      return below(node.args);
    case 'in':
      if (node.args[1].op === 'list') for (const item of node.args[1].args) enumLiteral(node.args[0], item, scope);
      return below(node.args);
    case '||':
    case '&&':
      return below(node.args);
    case '?:':
      return below(node.args);
    default:
      if (OPERATORS.includes(node.op) && Array.isArray(node.args)) return below(node.args as readonly ASTNode[]);
      refuse('cel_forbidden', `${REFUSED_FORMS[node.op] ?? node.op} is not part of the policy language; write plain names, comparisons, &&, || and !`);
      return 1;
  }
}

function unaryDepth(node: ASTNode): number {
  let depth = 0;
  for (let here = node; here.op === '!_' || here.op === '-_'; here = here.args) depth += 1;
  return depth;
}

const isKnownRoot = (names: Names, root: string): boolean => names.has(root) || isObject(names, root);

function access(node: ASTNode, scope: Scope): number {
  const path = pathOf(node);
  if (path === undefined) return node.op === '.' ? walk(node.args[0], scope) + 1 : 1;
  const depth = path.split('.').length;
  if (rootOf(path) === scope.variable) return depth;
  const { names } = scope;
  // `.currency` of money is the one thing to read below a field.
  const field = names.has(path) ? path : parentsOf(path).find((parent) => names.has(parent));
  const type = field === undefined ? undefined : names.get(field);
  if (type?.kind === 'any')
    scope.problems.push({ code: 'unknown_name', offset: node.start, message: `${field} is declared as any, so no condition can read it; declare its type` });
  else if (field === undefined) scope.problems.push(unknown(path, node.start, names));
  return depth;
}

/** `a.b` and `a` for `a.b.c`. */
function parentsOf(path: string): string[] {
  const parts = path.split('.');
  return parts.slice(1).map((_, i) => parts.slice(0, parts.length - 1 - i).join('.'));
}

function unknown(path: string, offset: number, names: Names): Problem {
  if (path.startsWith('facts.')) {
    const known = [...names.keys()].filter((k) => k.startsWith('facts.'));
    return {
      code: 'unknown_fact',
      offset,
      message: `There is no fact ${path.slice(6)}; declare it under facts, or use one of ${known.join(', ') || '(none is declared)'}`,
    };
  }
  if (isObject(names, path))
    return {
      code: 'cel_type',
      offset,
      message: `${path} is not a value; name what you mean inside it, such as ${[...names.keys()].find((k) => k.startsWith(`${path}.`)) ?? `${path}.…`}`,
    };
  const parent = path.split('.').slice(0, -1).join('.');
  const siblings = [...names.keys()].filter((k) => (parent === '' ? true : k.startsWith(`${parent}.`)));
  return {
    code: 'unknown_name',
    offset,
    message: `There is no ${path}; ${siblings.length > 0 ? `there is ${siblings.slice(0, 12).join(', ')}` : 'conditions read action, facts, evidence, requester and tenant'}`,
  };
}

function call(node: ASTNode, name: string, args: readonly ASTNode[], scope: Scope): number {
  const refuse = (code: FindingCode, message: string): void => {
    scope.problems.push({ code, offset: node.start, message });
  };
  if (!FUNCTIONS.includes(name)) refuse('cel_forbidden', `${name}() is not part of the policy language; it has ${FUNCTIONS.map((f) => `${f}()`).join(', ')}`);
  if (name === 'has') {
    const path = args[0] && pathOf(args[0]);
    if (path === undefined || !path.includes('.')) refuse('cel_has', 'has() takes a name such as has(facts.account_tier)');
    else if (!scope.names.has(path)) refuse('cel_has', `has() asks for ${path}, which is declared nowhere, so it would never hold; check the spelling`);
    // Else a row would let go of a request because its provider is down.
    else if (scope.isGiven(path))
      refuse(
        'cel_has_provided',
        `${path} comes from a provider: while that is down, has() would not hold and less be asked; leave it out, absent counts as met`,
      );
    return 1 + (path?.split('.').length ?? 1);
  }
  if (Object.hasOwn(MONEY_FUNCTIONS, name)) constantMoney(name, args, refuse);
  return args.reduce((sum, n) => sum + walk(n, scope), 1);
}

function constantMoney(name: string, args: readonly ASTNode[], refuse: (code: FindingCode, message: string) => void): void {
  const [number, code] = args;
  if (number?.op !== 'value' || (typeof number.args !== 'bigint' && typeof number.args !== 'number')) return;
  const currency = MONEY_FUNCTIONS[name] ?? (code?.op === 'value' && typeof code.args === 'string' ? code.args : undefined);
  const amount = currency === undefined ? undefined : amountOf(number.args, currency);
  if (typeof amount === 'string') refuse('cel_constant', amount);
}

/** A text compared to an enum must be one of its values, else the comparison never holds. */
function enumLiteral(side: ASTNode, literal: ASTNode, scope: Scope): void {
  const path = pathOf(side);
  const type = path === undefined || rootOf(path) === scope.variable ? undefined : scope.names.get(path);
  if (type?.kind !== 'enum' || literal.op !== 'value' || typeof literal.args !== 'string' || type.values.includes(literal.args)) return;
  const code = path === 'action.type' ? 'unknown_action_type' : 'cel_enum';
  scope.problems.push({ code, offset: literal.start, message: `${path} is never "${literal.args}"; it is one of ${type.values.join(', ')}` });
}
