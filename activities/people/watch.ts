/**
 * Brings to the store what changes outside of it: the directory's file, calendars of duty, and time itself.
 * Promises: a file counts when two looks have found it alike, so that none is taken half written; what is broken never takes effect, and
 * what held before holds on, with a sentence in the log and in `directory show`; calendars are read over the guarded way out alone.
 * Must not import Temporal, client or workers.
 */
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import type { Kysely } from 'kysely';
import type { Logger } from 'pino';
import { instant, ms } from '../../domain/json';
import { feedsOf, claimFeed, saveFailure, saveSource } from '../../record/store/people';
import type { Tables } from '../../record/store/tables';
import type { Egress } from '../egress';
import { EgressError } from '../egress';
import { CalendarError, rosterAt } from './calendar';
import { PeopleError, type People } from './index';
import { documentOf } from './sources';

/** How often the file and the clock are looked at, and how often each calendar is read. */
const LOOK_MS = 2_000;
const FEED_MS = 5 * 60_000;
const FEED_TIMEOUT_MS = 15_000;
/** Larger than any calendar of duty. */
export const FEED_BYTES_MAX = 1024 * 1024;

export interface WatchedFile {
  readonly path: string;
  readonly tenant: string;
}

interface WatchDeps {
  readonly people: People;
  readonly db: Kysely<Tables>;
  readonly log: Logger;
  /** With a body of {@link FEED_BYTES_MAX} at most; null: calendars are left to somebody else. */
  readonly egress: Pick<Egress, 'get'> | null;
  readonly file?: WatchedFile | null;
  readonly lookMs?: number;
}

interface Watch {
  /** One look at everything; never throws. */
  look(): Promise<void>;
  stop(): Promise<void>;
}

export function createWatch({ people, db, log, egress, file = null }: WatchDeps): Pick<Watch, 'look'> {
  const watched = file && watchFile(file, people, log);
  const steps = [
    () => watched?.look(),
    () => (egress ? readFeeds({ people, db, log, egress }) : undefined),
    async () => {
      for (const tenant of await people.refresh()) log.info({ tenant }, 'duty has changed with time, or another directory was published');
    },
  ];
  let failing = '';
  return {
    async look() {
      for (const step of steps)
        try {
          await step();
          failing = '';
        } catch (error) {
          const why = error instanceof Error ? error.message : String(error);
          if (why !== failing) log.warn({ why }, 'the directory could not be looked after; it is tried again');
          failing = why;
        }
    },
  };
}

/** Looks at once and then again and again, until it is stopped. */
export function startWatch(deps: WatchDeps): Watch {
  const { look } = createWatch(deps);
  let looking = look();
  let busy = false;
  const timer = setInterval(() => {
    if (busy) return;
    busy = true;
    looking = looking.then(look).finally(() => (busy = false));
  }, deps.lookMs ?? LOOK_MS);
  return {
    look,
    async stop() {
      clearInterval(timer);
      await looking;
    },
  };
}

/** As who the watched file is published. */
const byFile = (path: string): string => `file:${path.split('/').at(-1) ?? path}`;

function watchFile({ path, tenant }: WatchedFile, people: People, log: Logger): { look(): Promise<void> } {
  let seen = '';
  let settled = '';
  return {
    async look() {
      const found = await stat(path)
        .then(({ mtimeMs, size, ino }) => `${String(mtimeMs)} ${String(size)} ${String(ino)}`)
        .catch(() => 'gone');
      const isSame = found === seen;
      seen = found;
      // Somebody may be writing it just now.
      if (!isSame || found === settled) return;
      try {
        const text = await read(path, found);
        if (text === null) return;
        const { directory, notes } = await people.takeFile(tenant, byFile(path), text, { mustFit: true });
        if (directory.seq !== null) log.info({ tenant, path, directory: directory.hash.slice(0, 12), notes }, 'the directory was published from its file');
      } catch (error) {
        if (!(error instanceof PeopleError) || error.code === 'directory_busy') throw error;
        log.error({ tenant, path, code: error.code }, `${error.message}; the directory before holds on`);
        await people.noteBrokenFile(tenant, byFile(path), error.message);
      }
      settled = found;
    },
  };
}

/** Null where it has changed while it was read. */
async function read(path: string, found: string): Promise<string | null> {
  try {
    if (found === 'gone') throw new Error('gone');
    const bytes = await readFile(path);
    const after = await stat(path);
    if (`${String(after.mtimeMs)} ${String(after.size)} ${String(after.ino)}` !== found) return null;
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new PeopleError('directory_broken', `The directory's file ${path} is not there or is no text that can be read; mend the path or its permissions`, {
      cause,
    });
  }
}

/** Reads every calendar that is due; of several processes one does. */
async function readFeeds({ people, db, log, egress }: Omit<WatchDeps, 'file' | 'egress'> & { readonly egress: Pick<Egress, 'get'> }): Promise<void> {
  const now = await people.now();
  const tenants = await db.selectFrom('people_sources').select('tenant').where('kind', '=', 'file').orderBy('tenant').execute();
  for (const { tenant } of tenants) {
    const file = await documentOf(db, tenant).catch(() => null);
    for (const [role, { url, zone = 'UTC' }] of Object.entries(file?.document.feeds ?? {})) {
      if (!(await claimFeed(db, { tenant, role, address: url, now, until: instant(ms(now) + FEED_MS) }))) continue;
      const before = (await feedsOf(db, tenant)).get(role);
      const by = 'calendar';
      const about = { tenant, kind: 'feed' as const, name: role, address: url, at: now, by };
      try {
        const text = await fetchCalendar(egress, url);
        rosterAt(text, { now, zone });
        if (digest(text) === digest(before?.text ?? '') && before?.failedAt === null) continue;
        await people.change(tenant, `calendar:${role}`, (trx) => saveSource(trx, { ...about, text }));
      } catch (error) {
        if (!(error instanceof EgressError || error instanceof CalendarError || error instanceof PeopleError)) throw error;
        const what = error instanceof CalendarError ? error.message : `could not be read (${error instanceof EgressError ? error.code : error.message})`;
        const holds = before?.takenAt == null ? 'nobody has duty by it' : `what was read at ${before.takenAt} holds on`;
        const why = `The calendar of ${role} at ${new URL(url).host} ${what}: ${holds}`;
        log.warn({ tenant, role, why }, 'a calendar of duty could not be read');
        await people.change(tenant, `calendar:${role}`, (trx) => saveFailure(trx, { ...about, why }));
      }
    }
  }
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex');

async function fetchCalendar(egress: Pick<Egress, 'get'>, url: string): Promise<string> {
  const { status, text } = await egress.get(url, { headers: { accept: 'text/calendar' }, timeoutMs: FEED_TIMEOUT_MS });
  if (status !== 200) throw new CalendarError(`answered ${String(status)}`);
  if (text === null) throw new CalendarError('is too large or no text');
  return text;
}
