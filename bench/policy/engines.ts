/**
 * The engines that a matrix is held against: each says which rows a request meets. Countersign's answer is the whole plan, of which its
 * rows are a part; the others are asked for the rows alone, from values laid out as each reads them fastest.
 */
import { celEnv, isCelError, parse, plan } from '@bufbuild/cel';
import { ZenEngine } from '@gorules/zen-engine';
import { Engine } from 'json-rules-engine';
import { resolve, type CompiledPolicy, type RoutingInput } from '../../policy';
import type { Matrix, Row } from './matrix';

export interface Contender {
  readonly name: string;
  /** The ids of the rows that the request meets, in any order. */
  rowsFor(request: RoutingInput): readonly string[] | Promise<readonly string[]>;
}

export function countersign(policy: CompiledPolicy): Contender {
  return {
    name: 'countersign, the whole plan',
    rowsFor: (request) => {
      const resolved = resolve(policy, request);
      if (!resolved.ok) throw new Error(JSON.stringify(resolved.issues));
      return resolved.plan.rows.map((row) => row.id).filter((id) => id !== 'default');
    },
  };
}

interface Flat {
  readonly type: string;
  readonly region: string;
  /** Minor units of USD. */
  readonly amount: number;
  readonly tier: string;
  readonly data: string[];
  readonly count: number;
  readonly reversibility: string;
}

function flat({ action, facts }: RoutingInput): Flat {
  const { amount, region } = action.params as { amount: { minor: number }; region: string };
  return {
    type: action.type,
    region,
    amount: amount.minor,
    tier: facts['tier'] as string,
    data: [...action.data],
    count: action.audience.count,
    reversibility: action.reversibility,
  };
}

export function jsonRulesEngine({ rows }: Matrix): Contender {
  const engine = new Engine(
    rows.map((row) => ({
      name: row.id,
      event: { type: row.id },
      conditions: {
        all: [
          { fact: 'type', operator: 'equal', value: row.type },
          { fact: 'region', operator: 'equal', value: row.region },
          { fact: 'amount', operator: 'greaterThan', value: row.above },
          { fact: 'tier', operator: 'in', value: [...row.tiers] },
          ...(row.label === null ? [] : [{ fact: 'data', operator: 'contains', value: row.label }]),
          ...(row.reach === null
            ? []
            : [
                {
                  any: [
                    { fact: 'count', operator: 'greaterThan', value: row.reach },
                    { fact: 'reversibility', operator: 'notEqual', value: 'easy' },
                  ],
                },
              ]),
        ],
      },
    })),
  );
  return {
    name: 'json-rules-engine',
    rowsFor: async (request) => (await engine.run({ ...flat(request) })).events.map((event) => event.type),
  };
}

/** One decision table that collects every row it meets. */
export function zenEngine({ rows }: Matrix): Contender {
  const inputs = ['type', 'region', 'amount', 'tier', 'data', 'reach'].map((name) => ({
    id: name,
    name,
    // Without a field the cell is an expression of its own, over all values.
    ...(name === 'data' || name === 'reach' ? {} : { field: name }),
  }));
  const cells = (row: Row) => ({
    _id: row.id,
    type: JSON.stringify(row.type),
    region: JSON.stringify(row.region),
    amount: `> ${String(row.above)}`,
    tier: row.tiers.map((tier) => JSON.stringify(tier)).join(', '),
    data: row.label === null ? '' : `contains(data, ${JSON.stringify(row.label)})`,
    reach: row.reach === null ? '' : `count > ${String(row.reach)} or reversibility != "easy"`,
    id: JSON.stringify(row.id),
  });
  const decision = new ZenEngine().createDecision({
    nodes: [
      { id: 'in', name: 'in', type: 'inputNode', position: { x: 0, y: 0 } },
      {
        id: 'table',
        name: 'table',
        type: 'decisionTableNode',
        position: { x: 1, y: 0 },
        content: { hitPolicy: 'collect', inputs, outputs: [{ id: 'id', name: 'id', field: 'id' }], rules: rows.map(cells) },
      },
      { id: 'out', name: 'out', type: 'outputNode', position: { x: 2, y: 0 } },
    ],
    edges: [
      { id: 'a', sourceId: 'in', targetId: 'table', type: 'edge' },
      { id: 'b', sourceId: 'table', targetId: 'out', type: 'edge' },
    ],
  });
  return {
    name: '@gorules/zen-engine',
    rowsFor: async (request) => {
      const { result } = (await decision.evaluate(flat(request))) as { result: readonly { readonly id: string }[] };
      return result.map(({ id }) => id);
    },
  };
}

const bufbuildTrigger = (row: Row): string =>
  [
    `type == "${row.type}"`,
    `region == "${row.region}"`,
    `amount > ${String(row.above)}`,
    `tier in [${row.tiers.map((tier) => `"${tier}"`).join(', ')}]`,
    ...(row.label === null ? [] : [`"${row.label}" in data`]),
    ...(row.reach === null ? [] : [`(count > ${String(row.reach)} || reversibility != "easy")`]),
  ].join(' && ');

/** Each trigger planned once. */
export function bufbuildCel({ rows }: Matrix): Contender {
  const env = celEnv();
  const planned = rows.map((row) => ({ id: row.id, holds: plan(env, parse(bufbuildTrigger(row))) }));
  return {
    name: '@bufbuild/cel',
    rowsFor: (request) => {
      const { amount, count, ...rest } = flat(request);
      const values = { ...rest, amount: BigInt(amount), count: BigInt(count) };
      return planned
        .filter(({ id, holds }) => {
          const answer = holds(values);
          if (isCelError(answer)) throw new Error(`${id}: ${answer.message}`);
          return answer === true;
        })
        .map(({ id }) => id);
    },
  };
}
