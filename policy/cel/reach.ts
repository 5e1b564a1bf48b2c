/**
 * What a condition could ever hold for: its alternatives, each a list of demands on single values, and the values they leave.
 * Promises: sound. What is said never to hold is true of no request, and what is said to follow is true wherever the condition is; where
 * that is not certain, nothing is said. A condition that cannot be evaluated is not true, so it is not spoken of here.
 * Pure: imports the engine's types.
 */
import type { ASTNode } from '@marcbachmann/cel-js';
import type { Field } from '../units';
import { canBeAsked, demandOf, OPPOSITE, type Atom, type Order } from './atoms';
import type { Names } from './names';

/** What conditions are about. */
export interface World {
  readonly names: Names;
  readonly actions: { readonly [type: string]: { readonly params: { readonly [name: string]: Field } } };
  /** How the yes or no at `path` is computed; null where it is not. */
  computed(path: string): ASTNode | null;
}

/** One part of an alternative: holds or does not. Without an atom it is known by its text alone. */
export interface Literal {
  readonly atom: Atom | null;
  readonly text: string;
  readonly met: boolean;
}

/** The values from `min` to `max`, without `except`; `whole`: integers, whose ends are always within. */
export interface Interval {
  readonly min: number;
  readonly max: number;
  readonly minOpen: boolean;
  readonly maxOpen: boolean;
  readonly whole: boolean;
  readonly except: ReadonlySet<number>;
}

/** What an alternative leaves of each value that it reads. */
export interface Region {
  readonly types: ReadonlySet<string>;
  readonly moneys: ReadonlyMap<string, { readonly currency: string; readonly interval: Interval }>;
  /** Paths that have a value wherever the alternative holds. */
  readonly read: ReadonlySet<string>;
}

export interface Alternative {
  readonly literals: readonly Literal[];
  readonly region: Region;
}

/** With more alternatives a condition is not looked into. */
const ALTERNATIVES_MAX = 128;
const PARAMS = 'action.params.';

const textOf = (node: ASTNode): string => node.input.slice(node.start, node.end).replace(/\s+/g, ' ');

/** Null where there are too many. */
function alternativesOf(node: ASTNode, met: boolean, world: World): Literal[][] | null {
  switch (node.op) {
    case '!_':
      return alternativesOf(node.args, !met, world);
    case '&&':
    case '||': {
      const [left, right] = [alternativesOf(node.args[0], met, world), alternativesOf(node.args[1], met, world)];
      return (node.op === '&&') === met ? both(left, right) : either(left, right);
    }
    case '?:': {
      const [condition, then, otherwise] = node.args;
      return either(
        both(alternativesOf(condition, true, world), alternativesOf(then, met, world)),
        both(alternativesOf(condition, false, world), alternativesOf(otherwise, met, world)),
      );
    }
    case 'value':
      if (typeof node.args === 'boolean') return node.args === met ? [[]] : [];
      break;
    case '==': {
      const [left, right] = node.args;
      if (right.op === 'value' && typeof right.args === 'boolean') return alternativesOf(left, right.args === met, world);
      if (left.op === 'value' && typeof left.args === 'boolean') return alternativesOf(right, left.args === met, world);
      break;
    }
    default:
      break;
  }
  const demand = demandOf(node, world.names);
  if (!demand) return [[{ atom: null, text: textOf(node), met }]];
  const literal: Literal = { atom: demand.atom, text: textOf(node), met: demand.met === met };
  const computed = demand.atom.kind === 'flag' ? world.computed(demand.atom.path) : null;
  return computed ? both([[literal]], alternativesOf(computed, literal.met, world)) : [[literal]];
}

const either = (a: Literal[][] | null, b: Literal[][] | null): Literal[][] | null => (a && b && a.length + b.length <= ALTERNATIVES_MAX ? [...a, ...b] : null);

function both(a: Literal[][] | null, b: Literal[][] | null): Literal[][] | null {
  if (!a || !b || a.length * b.length > ALTERNATIVES_MAX) return null;
  return a.flatMap((x) => b.map((y) => [...x, ...y]));
}

export interface Reach {
  /** The alternatives that some request could meet. */
  readonly possible: readonly Alternative[];
  /** Why the others cannot be met, one sentence each. */
  readonly impossible: readonly string[];
}

/** Null where it cannot be said. Several conditions have to hold together. */
export function reachOf(world: World, ...conditions: readonly ASTNode[]): Reach | null {
  const each = conditions.map((condition) => alternativesOf(condition, true, world));
  const alternatives = each.reduce<Literal[][] | null>((all, one) => both(all, one), [[]]);
  if (!alternatives) return null;
  const possible: Alternative[] = [];
  const impossible: string[] = [];
  for (const literals of alternatives) {
    const region = leftBy(literals, world);
    if (typeof region === 'string') impossible.push(region);
    else possible.push({ literals, region });
  }
  return { possible, impossible };
}

/** Whether the condition is true wherever the alternative is. */
export function follows(node: ASTNode, from: Alternative, world: World, met = true): boolean {
  switch (node.op) {
    case '!_':
      return follows(node.args, from, world, !met);
    case '&&':
    case '||': {
      const [left, right] = node.args;
      return (node.op === '&&') === met
        ? follows(left, from, world, met) && follows(right, from, world, met)
        : follows(left, from, world, met) || follows(right, from, world, met);
    }
    case 'value':
      return node.args === met;
    default:
      break;
  }
  const demand = demandOf(node, world.names);
  if (!demand) return from.literals.some((literal) => literal.text === textOf(node) && literal.met === met);
  const { atom } = demand;
  // What was not read may be absent, and then it is neither true nor false.
  if (!from.region.read.has(atom.path) && !(atom.kind === 'has' && canBeAsked(atom.path))) return false;
  if (atom.kind === 'money' && from.region.moneys.get(atom.path)?.currency !== atom.currency) return false;
  return typeof leftBy([...from.literals, { atom, text: textOf(node), met: demand.met !== met }], world) === 'string';
}

/** What is left when all of them hold; a sentence where nothing is. */
export function leftBy(literals: readonly Literal[], world: World): Region | string {
  const left = new Left(world);
  for (const literal of literals) {
    const contradiction = left.take(literal);
    if (contradiction !== null) return contradiction;
  }
  return left.close();
}

class Left {
  readonly #texts = new Map<string, { allowed: ReadonlySet<string> | null; denied: ReadonlySet<string> }>();
  readonly #numbers = new Map<string, Interval>();
  readonly #moneys = new Map<string, { currency: string; interval: Interval }>();
  readonly #answers = new Map<string, boolean>();
  readonly #asked = new Map<string, boolean>();
  readonly #read = new Set<string>();
  /** The parts that speak of one value, for the sentence. */
  readonly #said = new Map<string, string[]>();
  constructor(private readonly world: World) {}

  /** Null, or why it cannot be met beside those before. */
  take({ atom, text, met }: Literal): string | null {
    const about = atom?.path ?? text;
    this.#said.set(about, [...(this.#said.get(about) ?? []), met ? text : `not ${text}`]);
    if (!atom) return this.#answer(`= ${text}`, met, about);
    if (atom.kind === 'has') {
      const before = this.#asked.get(atom.path) ?? met;
      this.#asked.set(atom.path, met);
      return before === met ? null : this.#never(atom.path);
    }
    this.#read.add(atom.path);
    switch (atom.kind) {
      case 'flag':
        return this.#answer(atom.path, met, about);
      case 'includes':
        return this.#answer(`${JSON.stringify(atom.value)} in ${atom.path}`, met, about);
      case 'text':
        return this.#text(atom.path, atom.values, met);
      case 'number': {
        const key = atom.size ? `size(${atom.path})` : atom.path;
        const before = this.#numbers.get(key) ?? domainOf(atom.path, atom.size, this.world.names);
        const interval = narrowed(before, met ? atom.order : OPPOSITE[atom.order], atom.value);
        this.#numbers.set(key, interval);
        return isEmpty(interval) ? this.#never(atom.path) : null;
      }
      case 'money': {
        const before = this.#moneys.get(atom.path) ?? { currency: atom.currency, interval: { ...ALL, whole: true } };
        if (before.currency !== atom.currency) return `${this.#together(atom.path)} compare one amount with two currencies`;
        const interval = narrowed(before.interval, met ? atom.order : OPPOSITE[atom.order], atom.minor);
        this.#moneys.set(atom.path, { currency: atom.currency, interval });
        return isEmpty(interval) ? this.#never(atom.path) : null;
      }
    }
  }

  close(): Region | string {
    for (const [path, there] of this.#asked) if (!there && this.#read.has(path)) return this.#never(path);
    const { actions } = this.world;
    let types = Object.keys(actions).filter((type) => this.#allows('action.type', [type]));
    const needed = new Set([...this.#read, ...[...this.#asked].filter(([, there]) => there).map(([path]) => path)]);
    for (const path of needed) {
      if (!path.startsWith(PARAMS)) continue;
      const name = path.slice(PARAMS.length);
      const before = types;
      types = types.filter((type) => {
        const field = actions[type] && Object.hasOwn(actions[type].params, name) ? actions[type].params[name]?.type : undefined;
        return field !== undefined && (field.kind !== 'enum' || this.#allows(path, field.values));
      });
      if (types.length === 0 && before.length > 0)
        return `${before.slice(0, 3).join(', ')} ${before.length === 1 ? 'has' : 'have'} no param ${name} with which ${this.#together(path)} would hold`;
    }
    if (types.length === 0) return this.#never('action.type');
    return { types: new Set(types), moneys: this.#moneys, read: this.#read };
  }

  #answer(key: string, met: boolean, about: string): string | null {
    const before = this.#answers.get(key) ?? met;
    this.#answers.set(key, met);
    return before === met ? null : this.#never(about);
  }

  #text(path: string, values: ReadonlySet<string>, met: boolean): string | null {
    const type = this.world.names.get(path);
    const { allowed, denied } = this.#texts.get(path) ?? { allowed: type?.kind === 'enum' ? new Set(type.values) : null, denied: new Set<string>() };
    const next = met
      ? { allowed: allowed ? new Set([...allowed].filter((value) => values.has(value))) : values, denied }
      : { allowed, denied: new Set([...denied, ...values]) };
    this.#texts.set(path, next);
    return next.allowed && [...next.allowed].every((value) => next.denied.has(value)) ? this.#never(path) : null;
  }

  #allows(path: string, values: readonly string[]): boolean {
    const { allowed, denied } = this.#texts.get(path) ?? { allowed: null, denied: new Set<string>() };
    return values.some((value) => (allowed?.has(value) ?? true) && !denied.has(value));
  }

  #together = (path: string): string => [...new Set(this.#said.get(path) ?? [])].join(' and ');

  #never(path: string): string {
    const parts = new Set(this.#said.get(path) ?? []);
    return `${[...parts].join(' and ')} ${parts.size > 1 ? 'never hold together' : 'never holds'}`;
  }
}

const ALL: Interval = { min: -Infinity, max: Infinity, minOpen: false, maxOpen: false, whole: false, except: new Set() };

/** What a number can be at all. Counts are never below zero. */
function domainOf(path: string, size: boolean, names: Names): Interval {
  const whole = size || names.get(path)?.kind === 'int';
  const counts = size || path === 'action.audience.count' || (whole && path.startsWith('recent.'));
  return { ...ALL, whole, min: counts ? 0 : -Infinity };
}

function narrowed(interval: Interval, order: Order, value: number): Interval {
  const { whole } = interval;
  switch (order) {
    case '==':
      return narrowed(narrowed(interval, '>=', value), '<=', value);
    case '!=':
      return { ...interval, except: new Set([...interval.except, value]) };
    case '<':
    case '<=': {
      const max = whole ? (order === '<' ? Math.ceil(value) - 1 : Math.floor(value)) : value;
      const maxOpen = !whole && order === '<';
      return max < interval.max || (max === interval.max && maxOpen) ? { ...interval, max, maxOpen } : interval;
    }
    case '>':
    case '>=': {
      const min = whole ? (order === '>' ? Math.floor(value) + 1 : Math.ceil(value)) : value;
      const minOpen = !whole && order === '>';
      return min > interval.min || (min === interval.min && minOpen) ? { ...interval, min, minOpen } : interval;
    }
  }
}

function isEmpty({ min, max, minOpen, maxOpen, whole, except }: Interval): boolean {
  if (min > max) return true;
  if (min === max) return minOpen || maxOpen || except.has(min);
  // A few integers, each of them excepted.
  if (!whole || max - min >= except.size) return false;
  for (let value = min; value <= max; value += 1) if (!except.has(value)) return false;
  return true;
}
