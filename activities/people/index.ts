/**
 * The people of a tenant: every change of one of their sources, and the directory that is composed of all and published with it, in one
 * transaction.
 * Promises: a change that is acknowledged is in the directory that holds; of two at once none is lost; what cannot be composed changes
 * nothing; a directory that was published otherwise becomes the file that the others add to. Must not import Temporal, client or workers.
 */
import type { Kysely } from 'kysely';
import type { Logger } from 'pino';
import type { Clock } from '../../domain/clock';
import { ms, type Instant } from '../../domain/json';
import { checkAgainstDirectory, compilePolicy, parseDirectory, type Finding } from '../../policy';
import type { Keys } from '../../record/keys';
import { databaseTime, type Trx } from '../../record/store/database';
import {
  absenceOf,
  clearAbsence,
  fileOf,
  lockPeople,
  peopleState,
  saveAbsence,
  saveFailure,
  savePeopleState,
  saveSource,
  tenantsToCompose,
  type SetAbsence,
} from '../../record/store/people';
import {
  activeDirectory,
  activeHashes,
  activePolicy,
  lockPointer,
  publishIn,
  type PolicyContent,
  type PublishMeta,
  type PublishResult,
} from '../../record/store/policies';
import { personsEver } from '../../record/store/scim';
import type { Tables } from '../../record/store/tables';
import { compose, type Composed } from './compose';
import { PeopleError } from './errors';
import { SOURCES } from './sources';
import type { PeopleSource } from './source';

export { PeopleError, type PeopleCode } from './errors';
export { roleOfGroup } from './sources';

interface PeopleDeps {
  readonly db: Kysely<Tables>;
  readonly keys: Pick<Keys, 'record'>;
  readonly log: Logger;
  readonly clock: Clock;
  readonly sources?: readonly PeopleSource[];
}

interface Changed<T> {
  readonly value: T;
  readonly directory: PublishResult;
  readonly policy: PublishResult | null;
  readonly notes: readonly string[];
}

interface ChangeOptions {
  /** A policy that is published with it, all or nothing. */
  readonly policy?: PolicyContent;
  readonly expect?: PublishMeta['expect'];
  /** Refused where the policy that holds could not be answered any more by those whom it asks. */
  readonly mustFit?: boolean;
}

interface AbsenceInput {
  readonly person: string;
  readonly from: Instant;
  readonly to: Instant;
  readonly deputy: string | null;
}

export interface People {
  now(): Promise<Instant>;
  /** Runs `work` under the tenant's lock, composes, publishes what came of it. Throws {@link PeopleError}, and then nothing has changed. */
  change<T>(tenant: string, by: string, work: (trx: Trx, now: Instant) => Promise<T>, options?: ChangeOptions): Promise<Changed<T>>;
  /** The file of a tenant's people, in place of the one before. */
  takeFile(tenant: string, by: string, text: string, options?: ChangeOptions): Promise<Changed<void>>;
  /** Somebody tried to take a file that is broken: the one before holds, and this is shown. */
  noteBrokenFile(tenant: string, by: string, why: string): Promise<void>;
  setAbsence(tenant: string, by: string, absence: AbsenceInput): Promise<SetAbsence>;
  /** Whether there was one. */
  clearAbsence(tenant: string, by: string, person: string): Promise<boolean>;
  absenceOf(tenant: string, person: string): Promise<SetAbsence | null>;
  /** What is composed now, without publishing it. */
  preview(tenant: string, at?: Instant): Promise<Composed | null>;
  /** Composes anew wherever time or somebody else has changed something; the tenants for which something was published. */
  refresh(): Promise<readonly string[]>;
}

/** Who publishes when nobody does: a shift has changed. */
const BY_TIME = 'countersign';
const TRIES = 5;

/** Somebody published another directory while this one was composed. */
class Moved extends Error {}

export function createPeople({ db, keys, log, clock, sources = SOURCES }: PeopleDeps): People {
  const nowOf = async (trx: Kysely<Tables>): Promise<Instant> => clock.now({ database: await databaseTime(trx), workflowTime: null });

  async function read(trx: Trx, tenant: string, now: Instant): Promise<Composed | null> {
    const contributions = [];
    for (const source of sources) {
      const contribution = await source.read(trx, tenant, now);
      if (contribution) contributions.push(contribution);
    }
    return contributions.length === 0 ? null : compose(contributions);
  }

  /** What was published otherwise than by composing is what the other sources add to from now on. */
  async function adopt(trx: Trx, tenant: string, now: Instant): Promise<void> {
    const { composedHash } = await peopleState(trx, tenant);
    const held = await activeDirectory(trx, tenant);
    if (!held || held.hash === composedHash) return;
    const before = await fileOf(trx, tenant);
    if (before?.text === held.text) return;
    await saveSource(trx, { tenant, kind: 'file', text: held.text, at: now, by: held.publishedBy });
  }

  async function once<T>(tenant: string, by: string, work: (trx: Trx, now: Instant) => Promise<T>, options: ChangeOptions): Promise<Changed<T>> {
    return await db.transaction().execute(async (trx) => {
      await lockPeople(trx, tenant);
      const now = await nowOf(trx);
      const seen = (await activeHashes(trx, tenant)).directory;
      await adopt(trx, tenant, now);
      const value = await work(trx, now);
      const composed = await read(trx, tenant, now);
      if (!composed) throw new PeopleError('directory_broken', `Nothing says who people of ${tenant} are; publish a directory first`);
      if (options.mustFit) await refuseUnfit(trx, tenant, composed);
      const { hash } = composed.directory;
      let policy: PublishResult | null = null;
      let directory: PublishResult = { hash, seq: null, replaces: seen };
      if (hash !== seen || options.policy) {
        if ((await lockPointer(trx, tenant)).directory_hash !== seen) throw new Moved();
        const meta = { tenant, by, record: keys.record, ...(options.expect === undefined ? {} : { expect: options.expect }) };
        const done = await publishIn(trx, { directory: { hash, text: composed.text }, ...(options.policy ? { policy: options.policy } : {}) }, meta);
        policy = done.policy;
        directory = done.directory ?? directory;
      }
      const state = await peopleState(trx, tenant);
      await savePeopleState(trx, tenant, { ...state, composedHash: hash, nextAt: composed.nextAt, notes: composed.notes });
      return { value, directory, policy, notes: composed.notes };
    });
  }

  /** What was said last of a tenant that cannot be composed: said once, and not at every look. */
  const said = new Map<string, string>();

  const people: People = {
    now: () => nowOf(db),
    async change(tenant, by, work, options = {}) {
      for (let tried = 1; ; tried += 1) {
        try {
          const changed = await once(tenant, by, work, options);
          if (changed.directory.seq !== null)
            log.info({ tenant, directory: changed.directory.hash.slice(0, 12), notes: changed.notes.length }, 'another directory holds from now on');
          return changed;
        } catch (error) {
          if (!(error instanceof Moved)) throw error;
          if (tried >= TRIES)
            throw new PeopleError('directory_busy', `Nothing was changed: the directory of ${tenant} is published again and again; try again`);
        }
      }
    },
    async takeFile(tenant, by, text, options) {
      return await people.change(
        tenant,
        by,
        async (trx, now) => {
          const elsewhere = await personsEver(trx, tenant);
          const { directory, findings } = parseDirectory(text, 'directory.yaml', (id) => elsewhere.has(id));
          if (!directory) throw new PeopleError('directory_broken', firstError(findings));
          await saveSource(trx, { tenant, kind: 'file', text, at: now, by });
        },
        options,
      );
    },
    async noteBrokenFile(tenant, by, why) {
      await saveFailure(db, { tenant, kind: 'file', at: await nowOf(db), by, why });
    },
    async setAbsence(tenant, by, { person, from, to, deputy }) {
      const { value } = await people.change(tenant, by, async (trx, now) => {
        const known = (await read(trx, tenant, now))?.directory.people ?? {};
        const is = (id: string): boolean => Object.hasOwn(known, id);
        if (!is(person)) throw new PeopleError('unknown_person', `${person} is not among the people of ${tenant}; mend the id`);
        if (ms(from) >= ms(to)) throw new PeopleError('absence_invalid', 'The absence ends before it begins; swap from and to');
        if (ms(to) <= ms(now)) throw new PeopleError('absence_invalid', 'The absence is over already; give a later end');
        // Whoever stands in decides as they may: that is for the person to say, or for who keeps the file.
        if (deputy !== null && by !== person)
          throw new PeopleError(
            'deputy_invalid',
            `${person} says who stands in for them; set the absence without a deputy, and others who hold the role are asked`,
          );
        if (deputy === person) throw new PeopleError('deputy_invalid', 'Nobody stands in for themselves; name another person');
        if (deputy !== null && !is(deputy)) throw new PeopleError('deputy_invalid', `${deputy} is not among the people of ${tenant}; name another deputy`);
        const set: SetAbsence = { person, from, to, deputy, setBy: by, setAt: now };
        await saveAbsence(trx, tenant, set);
        // What is found only now comes from this absence: everything was in order before.
        await read(trx, tenant, now).catch((error: unknown) => {
          if (!(error instanceof PeopleError)) throw error;
          throw new PeopleError('deputy_invalid', error.message, { cause: error });
        });
        return set;
      });
      return value;
    },
    async clearAbsence(tenant, by, person) {
      const { value } = await people.change(tenant, by, (trx, now) => clearAbsence(trx, tenant, person, now, by));
      return value;
    },
    absenceOf: async (tenant, person) => await absenceOf(db, tenant, person, await nowOf(db)),
    async preview(tenant, at) {
      return await db.transaction().execute(async (trx) => {
        const composed = await read(trx, tenant, at ?? (await nowOf(trx)));
        if (composed) return composed;
        const held = await activeDirectory(trx, tenant);
        return held && compose([{ text: held.text }]);
      });
    },
    async refresh() {
      const published: string[] = [];
      for (const tenant of await tenantsToCompose(db, await nowOf(db))) {
        try {
          const { directory } = await people.change(tenant, BY_TIME, () => Promise.resolve());
          if (directory.seq !== null) published.push(tenant);
          said.delete(tenant);
        } catch (error) {
          // One tenant's sources must not stop another's.
          const why = error instanceof Error ? error.message : String(error);
          if (said.get(tenant) !== why) log.error({ tenant, why }, 'the directory could not be composed anew; the one that holds stays');
          said.set(tenant, why);
        }
      }
      return published;
    },
  };
  return people;
}

const firstError = (findings: readonly Finding[]): string => {
  const found = findings.find((finding) => finding.severity === 'error');
  return found ? `The directory is not taken: line ${String(found.line)}, column ${String(found.column)}: ${found.message}` : 'The directory is not taken';
};

/** What the policy cannot do with these people, and could with those before. */
async function refuseUnfit(trx: Trx, tenant: string, composed: Composed): Promise<void> {
  const stored = await activePolicy(trx, tenant);
  const policy = stored && compilePolicy(stored.files).policy;
  if (!policy) return;
  const held = await activeDirectory(trx, tenant);
  const before = held && parseDirectory(held.text, 'directory.yaml').directory;
  const errors = (directory: Composed['directory']): string[] =>
    checkAgainstDirectory(policy, directory)
      .filter((finding) => finding.severity === 'error')
      .map((finding) => finding.message);
  const known = new Set(before ? errors(before) : []);
  const anew = errors(composed.directory).find((message) => !known.has(message));
  if (anew !== undefined) throw new PeopleError('directory_unfit', `The directory is not taken, because the policy that holds could not be answered: ${anew}`);
}
