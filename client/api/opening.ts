/**
 * Waits until somebody is asked: until approvals that were just submitted have left `routing`, by one question to the store for all of them.
 * Promises: it ends, and when nothing opens at all, since no worker is there, nobody waits for it: what is submitted is recorded all the same.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Db } from '../../record/store/database';

/** Between two questions, in milliseconds. */
const PAUSE_MS = 40;

interface Waiting {
  readonly tenant: string;
  readonly approvalId: string;
  readonly until: number;
  readonly go: () => void;
}

export function createOpening(db: Db, patienceMs: number): (tenant: string, approvalId: string) => Promise<void> {
  const waiting = new Set<Waiting>();
  let stalled = false;
  let asking = false;

  async function ask(): Promise<void> {
    asking = true;
    while (waiting.size > 0) {
      // A process that ends does not wait for it.
      await sleep(PAUSE_MS, undefined, { ref: false });
      const asked = [...waiting];
      const closed = await stillClosed(db, asked).catch(() => null);
      for (const each of asked) {
        const late = Date.now() >= each.until;
        if (closed !== null && !closed.has(each.approvalId)) stalled = false;
        else if (late) stalled = true;
        else continue;
        waiting.delete(each);
        each.go();
      }
    }
    asking = false;
  }

  return (tenant, approvalId) =>
    new Promise((go) => {
      // One is still waited for, to learn when it goes on.
      if (stalled && waiting.size > 0) return go();
      waiting.add({ tenant, approvalId, until: Date.now() + patienceMs, go });
      if (!asking) void ask();
    });
}

async function stillClosed(db: Db, asked: readonly Waiting[]): Promise<ReadonlySet<string>> {
  const { rows } = await sql<{ approval_id: string }>`
    select a.approval_id from approvals a
    join unnest(${asked.map((w) => w.tenant)}::text[], ${asked.map((w) => w.approvalId)}::text[]) as w (tenant, approval_id)
      on a.tenant = w.tenant and a.approval_id = w.approval_id
    where a.state = 'routing'`.execute(db);
  return new Set(rows.map((row) => row.approval_id));
}
