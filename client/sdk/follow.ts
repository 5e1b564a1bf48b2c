/**
 * What an agent does while it waits, by the directive that its request was answered with: one handler for each entry of the closed list.
 *
 * It promises: a directive that the agent has no handler for, or that does not carry what its handler needs, is followed more strictly and
 * never more mildly: by the next stricter handler that is there, at last by `block`. So is one that this version does not know.
 * Pure: imports only from domain, so that an agent's workflow can use it as well.
 *
 * @example
 * const submitted = await countersign.submit(request, { idempotencyKey });
 * follow(submitted.meanwhile, { park_item: () => queue.park(item), reduce_throughput: ({ toPercent }) => queue.slow(toPercent), block: () => queue.stop() });
 */
import type { JsonObject } from '../../domain/json';
import { MEANWHILE, type MeanwhileAction } from '../../domain/plan';

/** As submitting answers it: `submitted.meanwhile`. */
export interface Directive {
  readonly agent: string;
  readonly retryAfterMs?: number | undefined;
  readonly alternative?: Alternative | undefined;
  readonly toPercent?: number | undefined;
}

/** The safe path that the policy declares. */
export interface Alternative {
  readonly type: string;
  readonly params: JsonObject;
  readonly summary: string;
}

/** Nothing but its name. */
export type Bare = Readonly<Record<never, never>>;

/** What each directive carries. */
export interface Carried {
  /** Try the same once more, after so long; 0 is at once. */
  readonly retry_once: { readonly afterMs: number };
  /** Take the declared safe path instead. */
  readonly degrade: { readonly alternative: Alternative };
  /** Go on with so much of the usual, in percent. */
  readonly reduce_throughput: { readonly toPercent: number };
  /** Leave what can wait. */
  readonly stop_noncritical: Bare;
  /** Put this item aside, and go on with the others. */
  readonly park_item: Bare;
  /** Keep the draft, and send nothing. */
  readonly hold_send: Bare;
  /** Decide nothing about this, and leave what was decided as it is. */
  readonly freeze_decision: Bare;
  /** Stop the whole job until it is answered. */
  readonly pause_job: Bare;
  /** Do nothing. */
  readonly block: Bare;
  /** Treat it as a no, and keep every log. */
  readonly deny_and_keep_logs: Bare;
}

/** `block` has to be there: it is what every other one falls to. */
export type MeanwhileHandlers<T> = { readonly [A in MeanwhileAction]?: (carried: Carried[A]) => T } & { readonly block: (carried: Bare) => T };

/** What the handler of `action` is given; null where the directive does not carry it. */
function carriedBy<A extends MeanwhileAction>({ retryAfterMs = 0, alternative, toPercent }: Directive, action: A): Carried[A] | null {
  const carried: { readonly [K in MeanwhileAction]: Carried[K] | null } = {
    retry_once: { afterMs: retryAfterMs },
    degrade: alternative === undefined ? null : { alternative },
    reduce_throughput: toPercent === undefined ? null : { toPercent },
    stop_noncritical: {},
    park_item: {},
    hold_send: {},
    freeze_decision: {},
    pause_job: {},
    block: {},
    deny_and_keep_logs: {},
  };
  return carried[action];
}

/** Runs the one handler that the directive means, or the next stricter, and gives back what that gives. */
export function follow<T>(directive: Directive, handlers: MeanwhileHandlers<T>): T {
  const from = MEANWHILE.findIndex((action) => action === directive.agent);
  const run = <A extends MeanwhileAction>(action: A): { readonly value: T } | null => {
    const handler = handlers[action] as ((carried: Carried[A]) => T) | undefined;
    const carried = carriedBy(directive, action);
    return handler === undefined || carried === null ? null : { value: handler(carried) };
  };
  for (const action of from === -1 ? [] : MEANWHILE.slice(from)) {
    const done = run(action);
    if (done) return done.value;
  }
  return handlers.block({});
}
