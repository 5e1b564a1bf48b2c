/**
 * What a condition demands of single values: `action.type == "refund.issue"`, `action.params.amount > usd(250)`, `has(facts.tier)`.
 * Promises: an atom says of a reading what the engine would say, or says that it does not know. Never the other way round: what the
 * engine cannot evaluate is never known here.
 * Pure: imports the engine's types.
 */
import type { ASTNode } from '@marcbachmann/cel-js';
import type { Json } from '../../domain/json';
import { isMoney } from '../../domain/money';
import { pathOf } from './guard';
import { amountOf, CelMoney, MONEY_FUNCTIONS } from './money';
import type { Names, Reading } from './names';

export type Order = '<' | '<=' | '>' | '>=' | '==' | '!=';

export type Atom =
  /** The text at `path` is one of these. */
  | { readonly kind: 'text'; readonly path: string; readonly values: ReadonlySet<string> }
  /** `size`: of the list at `path`. */
  | { readonly kind: 'number'; readonly path: string; readonly size: boolean; readonly order: Order; readonly value: number }
  | { readonly kind: 'money'; readonly path: string; readonly order: Order; readonly minor: number; readonly currency: string }
  | { readonly kind: 'flag'; readonly path: string }
  | { readonly kind: 'has'; readonly path: string }
  /** The list at `path` holds this text. */
  | { readonly kind: 'includes'; readonly path: string; readonly value: string };

const MIRRORED: { readonly [O in Order]: Order } = { '<': '>', '<=': '>=', '>': '<', '>=': '<=', '==': '==', '!=': '!=' };
export const OPPOSITE: { readonly [O in Order]: Order } = { '<': '>=', '<=': '>', '>': '<=', '>=': '<', '==': '!=', '!=': '==' };

/** What always has a place in what a condition reads, also where nothing is in it; has() of another is no answer where that is missing. */
const ALWAYS_THERE = ['action', 'action.params', 'facts', 'requester', 'recent', 'system'];

/** Whether has() of it is an answer also where it is absent. */
export const canBeAsked = (path: string): boolean => ALWAYS_THERE.includes(path.slice(0, path.lastIndexOf('.')));

/** Null for what is more than a demand on one value. */
function atomOf(node: ASTNode, names: Names): Atom | null {
  switch (node.op) {
    case 'id':
    case '.': {
      const path = pathOf(node);
      return path !== undefined && names.get(path)?.kind === 'bool' ? { kind: 'flag', path } : null;
    }
    case 'call': {
      const [name, args] = node.args;
      const path = name === 'has' && args[0] ? pathOf(args[0]) : undefined;
      const kind = path === undefined ? undefined : names.get(path)?.kind;
      return path === undefined || kind === undefined || kind === 'any' ? null : { kind: 'has', path };
    }
    case 'in':
      return membership(node.args[0], node.args[1], names);
    case '<':
    case '<=':
    case '>':
    case '>=':
    case '==':
    case '!=':
      return comparison(node.op, node.args[0], node.args[1], names) ?? comparison(MIRRORED[node.op], node.args[1], node.args[0], names);
    default:
      return null;
  }
}

/** An atom, and whether it has to hold or must not. */
export interface Demand {
  readonly atom: Atom;
  readonly met: boolean;
}

/** With `!=` of a text, which is an atom that must not hold. */
export function demandOf(node: ASTNode, names: Names): Demand | null {
  const atom = atomOf(node, names);
  if (atom) return { atom, met: true };
  if (node.op !== '!=') return null;
  const [left, right] = node.args;
  const text = textIs(left, right, names) ?? textIs(right, left, names);
  return text && { atom: text, met: false };
}

function textIs(side: ASTNode, literal: ASTNode, names: Names): Atom | null {
  const path = pathOf(side);
  const value = textOf(literal);
  return path !== undefined && value !== undefined && isText(names, path) ? { kind: 'text', path, values: new Set([value]) } : null;
}

function membership(item: ASTNode, list: ASTNode, names: Names): Atom | null {
  const path = pathOf(item);
  if (path !== undefined && isText(names, path) && list.op === 'list') {
    const values = list.args.map(textOf);
    return values.every((value) => value !== undefined) ? { kind: 'text', path, values: new Set(values) } : null;
  }
  const value = textOf(item);
  const from = pathOf(list);
  return value !== undefined && from !== undefined && names.get(from)?.kind === 'list' ? { kind: 'includes', path: from, value } : null;
}

function comparison(order: Order, left: ASTNode, right: ASTNode, names: Names): Atom | null {
  const counted = left.op === 'call' && left.args[0] === 'size' && left.args[1][0] ? pathOf(left.args[1][0]) : undefined;
  if (counted !== undefined) {
    const value = numberOf(right);
    return value === undefined || names.get(counted)?.kind !== 'list' ? null : { kind: 'number', path: counted, size: true, order, value };
  }
  const path = pathOf(left);
  const type = path === undefined ? undefined : names.get(path);
  if (path === undefined || type === undefined) return null;
  if (type.kind === 'int' || type.kind === 'double') {
    const value = numberOf(right);
    return value === undefined ? null : { kind: 'number', path, size: false, order, value };
  }
  if (type.kind === 'money') {
    const money = moneyOf(right);
    return money === undefined ? null : { kind: 'money', path, order, minor: money.minor, currency: money.currency };
  }
  return order === '==' ? textIs(left, right, names) : null;
}

const isText = (names: Names, path: string): boolean => {
  const kind = names.get(path)?.kind;
  return kind === 'string' || kind === 'enum';
};

const textOf = (node: ASTNode): string | undefined => (node.op === 'value' && typeof node.args === 'string' ? node.args : undefined);

/** Only what a number holds exactly. */
function numberOf(node: ASTNode): number | undefined {
  if (node.op === '-_') {
    const value = numberOf(node.args);
    return value === undefined ? undefined : -value;
  }
  if (node.op !== 'value') return undefined;
  if (typeof node.args === 'number') return Number.isFinite(node.args) ? node.args : undefined;
  if (typeof node.args !== 'bigint') return undefined;
  const value = Number(node.args);
  return Number.isSafeInteger(value) ? value : undefined;
}

function moneyOf(node: ASTNode): CelMoney | undefined {
  if (node.op !== 'call' || !Object.hasOwn(MONEY_FUNCTIONS, node.args[0])) return undefined;
  const [name, [number, code]] = node.args;
  const value = number && numberOf(number);
  const currency = MONEY_FUNCTIONS[name] ?? (code && textOf(code));
  const amount = value === undefined || currency === undefined ? undefined : amountOf(value, currency);
  return amount instanceof CelMoney ? amount : undefined;
}

function inOrder(order: Order, difference: number): boolean {
  switch (order) {
    case '<':
      return difference < 0;
    case '<=':
      return difference <= 0;
    case '>':
      return difference > 0;
    case '>=':
      return difference >= 0;
    case '==':
      return difference === 0;
    case '!=':
      return difference !== 0;
  }
}

/** What the engine would say of this reading; undefined where it is not known here, as where the value is absent. */
function holds(atom: Atom, reading: Reading): boolean | undefined {
  const value = reading.get(atom.path);
  switch (atom.kind) {
    case 'text':
      return typeof value === 'string' ? atom.values.has(value) : undefined;
    case 'flag':
      return typeof value === 'boolean' ? value : undefined;
    case 'has':
      return value !== undefined ? true : canBeAsked(atom.path) ? false : undefined;
    case 'includes':
      return Array.isArray(value) ? (value as readonly Json[]).includes(atom.value) : undefined;
    case 'number': {
      const number = atom.size ? (Array.isArray(value) ? value.length : undefined) : typeof value === 'number' ? value : undefined;
      return number === undefined ? undefined : inOrder(atom.order, compare(number, atom.value));
    }
    case 'money':
      return isMoney(value) && value.currency === atom.currency ? inOrder(atom.order, compare(value.minor, atom.minor)) : undefined;
  }
}

/** Not a difference, which could be rounded to zero. */
const compare = (a: number, b: number): number => (a < b ? -1 : a > b ? 1 : 0);

type Shortcut = (reading: Reading) => boolean | undefined;

const unknown: Shortcut = () => undefined;

/**
 * The whole condition by its atoms. Undefined where they do not decide it: then the engine has to. As in the language, one side of && or ||
 * that decides does so whatever the other is.
 */
export function shortcutOf(node: ASTNode, names: Names): Shortcut {
  switch (node.op) {
    case '&&':
    case '||': {
      const sides = operandsOf(node, node.op).map((side) => shortcutOf(side, names));
      return sides.every((side) => side === unknown) ? unknown : joined(node.op === '||', sides);
    }
    case '!_': {
      const inner = shortcutOf(node.args, names);
      if (inner === unknown) return unknown;
      return (reading) => {
        const answer = inner(reading);
        return answer === undefined ? undefined : !answer;
      };
    }
    case 'value':
      return typeof node.args === 'boolean' ? () => node.args === true : unknown;
    default: {
      const demand = demandOf(node, names);
      if (!demand) return unknown;
      return leaf(demand);
    }
  }
}

/** `a && b && c` is nested by the parser, and one list here. */
const operandsOf = (node: ASTNode, op: '&&' | '||'): ASTNode[] => (node.op === op ? node.args.flatMap((side) => operandsOf(side, op)) : [node]);

/** `decides`: the answer of one side that is the answer of all. */
function joined(decides: boolean, sides: readonly Shortcut[]): Shortcut {
  return (reading) => {
    let all = true;
    for (const side of sides) {
      const answer = side(reading);
      if (answer === decides) return decides;
      if (answer === undefined) all = false;
    }
    return all ? !decides : undefined;
  };
}

function leaf({ atom, met }: Demand): Shortcut {
  if (atom.kind === 'text' && atom.values.size === 1) {
    // By far the most frequent: the kind of action.
    const [text] = atom.values;
    const { path } = atom;
    return (reading) => {
      const value = reading.get(path);
      return typeof value === 'string' ? (value === text) === met : undefined;
    };
  }
  return (reading) => {
    const answer = holds(atom, reading);
    return answer === undefined ? undefined : answer === met;
  };
}

/**
 * The texts at `path` with which the condition may be anything else than false; null: with every text. What has another text there need
 * not be looked at.
 */
export function admitted(node: ASTNode, names: Names, path: string): ReadonlySet<string> | null {
  if (node.op === '&&') {
    const [left, right] = [admitted(node.args[0], names, path), admitted(node.args[1], names, path)];
    return left && right ? new Set([...left].filter((value) => right.has(value))) : (left ?? right);
  }
  if (node.op === '||') {
    const [left, right] = [admitted(node.args[0], names, path), admitted(node.args[1], names, path)];
    return left && right ? new Set([...left, ...right]) : null;
  }
  const atom = atomOf(node, names);
  return atom?.kind === 'text' && atom.path === path ? atom.values : null;
}
