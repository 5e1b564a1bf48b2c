/**
 * One line of the retail agent's actions to the request that the agent would send.
 * Pure: text in, requests out; reading the file and sending are the caller's.
 */
import { z } from 'zod';
import type { RequestSchema } from '../../domain/request';

type RequestBody = z.input<typeof RequestSchema>;

const strings = z.array(z.string());
const address = { address1: z.string(), address2: z.string(), city: z.string(), state: z.string(), country: z.string(), zip: z.string() };
const order = { order_id: z.string() };
const swap = z.strictObject({ ...order, item_ids: strings, new_item_ids: strings, payment_method_id: z.string() });

/** The arguments of each tool, so that a line that is not what it seems stops here and not in the middle of a run. */
const TOOLS = {
  cancel_pending_order: z.strictObject({ ...order, reason: z.string() }),
  return_delivered_order_items: z.strictObject({ ...order, item_ids: strings, payment_method_id: z.string() }),
  exchange_delivered_order_items: swap,
  modify_pending_order_items: swap,
  modify_pending_order_address: z.strictObject({ ...order, ...address }),
  modify_pending_order_payment: z.strictObject({ ...order, payment_method_id: z.string() }),
  modify_user_address: z.strictObject({ user_id: z.string(), ...address }),
  transfer_to_human_agents: z.strictObject({ summary: z.string() }),
} as const;
type Tool = keyof typeof TOOLS;

const LineSchema = z.looseObject({
  task: z.string(),
  action_id: z.string(),
  tool: z.enum(Object.keys(TOOLS) as [Tool, ...Tool[]]),
  arguments: z.record(z.string(), z.json()),
  customer_asked: z.string().min(1),
  customer: z.looseObject({ user_id: z.string() }).optional(),
  order: z.looseObject({ order_id: z.string() }).optional(),
  amount: z.number().optional(),
});
export type RetailAction = z.output<typeof LineSchema>;

/** Names the line that cannot be read. */
export class RetailDataError extends Error {
  constructor(
    readonly line: number,
    what: string,
    options?: ErrorOptions,
  ) {
    super(`Line ${line} of the retail actions cannot be read: ${what}`, options);
    this.name = 'RetailDataError';
  }
}

/** Every action of the file, in order. */
export function readActions(text: string): RetailAction[] {
  return text.split('\n').flatMap((raw, index) => {
    if (raw.trim() === '') return [];
    const line = index + 1;
    let json: unknown;
    try {
      json = JSON.parse(raw);
    } catch (cause) {
      throw new RetailDataError(line, 'it is not JSON', { cause });
    }
    const parsed = LineSchema.safeParse(json);
    if (!parsed.success) throw new RetailDataError(line, z.prettifyError(parsed.error), { cause: parsed.error });
    const args = TOOLS[parsed.data.tool].safeParse(parsed.data.arguments);
    if (!args.success) throw new RetailDataError(line, `arguments: ${z.prettifyError(args.error)}`, { cause: args.error });
    return [parsed.data];
  });
}

/** Dollars to cents, rounded and not cut: 1285.12 is 128512 although 1285.12 × 100 is a little less. */
export const toCents = (dollars: number): number => Math.sign(dollars) * Math.round(Math.abs(dollars) * 100) || 0;

const dollars = (amount: number): string => `USD ${(toCents(amount) / 100).toFixed(2)}`;

interface Shape {
  readonly type: string;
  readonly system: 'orders' | 'profiles' | 'conversations';
  readonly reversibility: 'easy' | 'hard' | 'none';
  readonly data: readonly string[];
  /** What the action's amount is called, where it has one. */
  readonly money: 'amount' | 'difference' | null;
  readonly summary: (line: RetailAction) => string;
}

/** An argument that its tool's schema says is text. */
const textOf = (line: RetailAction, name: string): string => {
  const value = line.arguments[name];
  return typeof value === 'string' ? value : '';
};
const ofOrder = (line: RetailAction): string => `order ${textOf(line, 'order_id')}`;
const more = (line: RetailAction): string =>
  (line.amount ?? 0) < 0 ? `${dollars(-(line.amount ?? 0))} go back to the customer` : `the customer pays ${dollars(line.amount ?? 0)} more`;

const SHAPES: Readonly<Record<Tool, Shape>> = {
  cancel_pending_order: {
    type: 'order.cancel',
    system: 'orders',
    reversibility: 'none',
    data: [],
    money: 'amount',
    summary: (line) => `Cancel ${ofOrder(line)} and refund ${dollars(line.amount ?? 0)}`,
  },
  return_delivered_order_items: {
    type: 'order.return',
    system: 'orders',
    reversibility: 'hard',
    data: [],
    money: 'amount',
    summary: (line) => `Take back items of ${ofOrder(line)} and refund ${dollars(line.amount ?? 0)}`,
  },
  exchange_delivered_order_items: {
    type: 'order.exchange',
    system: 'orders',
    reversibility: 'hard',
    data: [],
    money: 'difference',
    summary: (line) => `Exchange delivered items of ${ofOrder(line)}; ${more(line)}`,
  },
  modify_pending_order_items: {
    type: 'order.modify_items',
    system: 'orders',
    reversibility: 'easy',
    data: [],
    money: 'difference',
    summary: (line) => `Change the items of ${ofOrder(line)}; ${more(line)}`,
  },
  modify_pending_order_address: {
    type: 'order.modify_address',
    system: 'orders',
    reversibility: 'easy',
    data: ['address'],
    money: null,
    summary: (line) => `Send ${ofOrder(line)} to another address`,
  },
  modify_pending_order_payment: {
    type: 'order.modify_payment',
    system: 'orders',
    reversibility: 'easy',
    data: ['payment_method'],
    money: null,
    summary: (line) => `Charge ${ofOrder(line)} to another payment method`,
  },
  modify_user_address: {
    type: 'profile.modify_address',
    system: 'profiles',
    reversibility: 'easy',
    data: ['address'],
    money: null,
    summary: (line) => `Change the profile address of ${textOf(line, 'user_id')}`,
  },
  transfer_to_human_agents: {
    type: 'conversation.transfer',
    system: 'conversations',
    reversibility: 'easy',
    data: [],
    money: null,
    summary: () => 'Hand the conversation to a person',
  },
};

/** The request for one action; validate it with RequestSchema before it is sent. */
export function toRequest(line: RetailAction, resume: RequestBody['resume']): RequestBody {
  const shape = SHAPES[line.tool];
  if (shape.money && line.amount === undefined) throw new RetailDataError(0, `${line.action_id} has no amount`);
  const amount = shape.money ? { [shape.money]: { minor: toCents(line.amount ?? 0), currency: 'USD' } } : {};
  return {
    action: {
      type: shape.type,
      summary: shape.summary(line),
      params: { ...line.arguments, ...amount },
      system: shape.system,
      reversibility: shape.reversibility,
      audience: { reach: 'one_customer', count: 1 },
      data: [...shape.data],
    },
    facts: {},
    run: `retail-${line.action_id}`,
    ...(line.customer ? { on_behalf_of: line.customer.user_id, customer: { id: line.customer.user_id } } : {}),
    case: `task-${line.task}`,
    reason: line.customer_asked,
    evidence: [
      { name: 'customer_request', title: 'What the customer asked', source: 'customer', content: line.customer_asked },
      ...(line.order
        ? [{ name: 'order_record', title: `Order ${line.order.order_id}`, source: 'system' as const, content: JSON.stringify(line.order, null, 2) }]
        : []),
    ],
    resume,
  };
}
