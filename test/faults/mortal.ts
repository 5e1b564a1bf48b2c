/**
 * One of the product's own programs, unchanged, that dies by SIGKILL where it is told to. Only for tests: nothing of this ships.
 *
 * What it awaits is counted from the outside: each statement to PostgreSQL, each call to the engine. Statements count when they are about
 * to be sent; the end of a transaction and a call to the engine count again when they have been answered, before the program hears of it.
 * (Between two statements of a transaction nobody outside can tell "after the first" from "before the second".)
 *
 * COUNTERSIGN_TEST_PROGRAM names the program. COUNTERSIGN_TEST_FAULTS names a folder: a file there arms one death. Its name says in whose
 * work (an approval's id, a request's Idempotency-Key, or `sweep`), its text in which work and at which count, as `commit 7` or `submit 3`.
 * It is removed before the death, so that each death is died once, by whichever process comes there first.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { readFileSync, unlinkSync } from 'node:fs';
import { IncomingMessage, Server } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { asyncLocalStorage as activityContext } from '@temporalio/activity';
import { Client as StoreClient } from 'pg';
import { approvalOf } from '../../workflows/protocol';

const FAULTS = process.env['COUNTERSIGN_TEST_FAULTS'] ?? '';
const PROGRAM = process.env['COUNTERSIGN_TEST_PROGRAM'] ?? '';

/** One piece of work: a request to the API, or one run of an activity. */
interface Work {
  readonly whose: string;
  readonly name: string;
  count: number;
}

const requests = new AsyncLocalStorage<Work>();
const activities = new WeakMap<object, Work>();

function current(): Work | undefined {
  const context = activityContext.getStore();
  if (!context) return requests.getStore();
  const known = activities.get(context);
  if (known) return known;
  const { activityType, workflowExecution } = context.info;
  const { approvalId = '' } = approvalOf(workflowExecution?.workflowId ?? '') ?? {};
  const work = { whose: activityType === 'reconcile' ? 'sweep' : approvalId, name: activityType, count: 0 };
  activities.set(context, work);
  return work;
}

/** One more point of this work; the last one, if it is armed. */
function pass(work: Work | undefined): void {
  if (!work || work.whose === '') return;
  work.count += 1;
  const file = join(FAULTS, work.whose);
  try {
    if (readFileSync(file, 'utf8') !== `${work.name} ${String(work.count)}`) return;
    unlinkSync(file);
  } catch {
    return; // Not armed, or another process came first.
  }
  process.kill(process.pid, 'SIGKILL');
}

const ENDS = /^(commit|rollback)\b/i;

function watchStore(): void {
  const real = StoreClient.prototype.query as (this: StoreClient, ...args: unknown[]) => unknown;
  const watched = function (this: StoreClient, ...args: unknown[]): unknown {
    const work = current();
    pass(work);
    const answer = real.apply(this, args);
    return ENDS.test(String(args[0])) && answer instanceof Promise
      ? answer.then((value: unknown) => {
          pass(work);
          return value;
        })
      : answer;
  };
  Object.assign(StoreClient.prototype, { query: watched });
}

/** What the engine's client calls through: its own, whatever else is installed. */
interface Caller {
  readonly Client: { readonly prototype: { readonly makeUnaryRequest: (...args: unknown[]) => unknown } };
}

function watchEngine(): void {
  const { Client } = createRequire(require.resolve('@temporalio/client'))('@grpc/grpc-js') as Caller;
  const real = Client.prototype.makeUnaryRequest;
  const watched = function (this: unknown, ...args: unknown[]): unknown {
    const work = current();
    pass(work);
    const hear = args.at(-1) as (...heard: unknown[]) => void;
    return real.apply(this, [
      ...args.slice(0, -1),
      (...heard: unknown[]) => {
        pass(work);
        hear(...heard);
      },
    ]);
  };
  Object.assign(Client.prototype, { makeUnaryRequest: watched });
}

/** A request is known by its Idempotency-Key, in everything that comes of it. */
function watchRequests(): void {
  const real = Server.prototype.emit as (this: Server, ...args: unknown[]) => boolean;
  const watched = function (this: Server, ...args: unknown[]): boolean {
    const [event, request] = args;
    if (event !== 'request' || !(request instanceof IncomingMessage)) return real.apply(this, args);
    const key = request.headers['idempotency-key'];
    const work: Work = { whose: typeof key === 'string' ? key : '', name: request.url?.endsWith('/moves') ? 'move' : 'submit', count: 0 };
    // Its body arrives outside of what begins here.
    const emit = request.emit.bind(request) as (...given: unknown[]) => boolean;
    Object.assign(request, { emit: (...given: unknown[]) => requests.run(work, () => emit(...given)) });
    return requests.run(work, () => real.apply(this, args));
  };
  Object.assign(Server.prototype, { emit: watched });
}

watchStore();
watchEngine();
watchRequests();
void import(PROGRAM);
