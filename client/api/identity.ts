/**
 * Who is calling. Agents show a key (stored as its hash), people a session. A token of the one kind never counts as the other.
 * A person who has left the directory is nobody from that moment on, however fresh the session.
 */
import type { Clock } from '../../domain/clock';
import { personOf, type Directory } from '../../domain/directory';
import { findAgentByKey } from '../../record/store/agents';
import { databaseTime, type Db } from '../../record/store/database';
import { ApiError } from './problems';
import type { Sessions } from './sessions';
import { hasDeputies, standsFor, type Caller, type SignedIn } from './visibility';

export interface IdentityDeps {
  readonly db: Db;
  readonly clock: Clock;
  readonly sessions: Sessions;
  /** The tenant's active directory; null when none is published. */
  readonly directoryOf: (tenant: string) => Promise<Directory | null>;
}

export interface Identify {
  /** From an `Authorization` header. Throws `unauthenticated`. */
  bearer(header: string | undefined): Promise<Caller>;
  /** From a session token (header or cookie); null if it proves nothing. */
  session(token: string): Promise<SignedIn | null>;
}

const nobody = (): ApiError =>
  new ApiError('unauthenticated', 'Send "Authorization: Bearer" with an agent key or a session token; this one is missing, unknown, expired or revoked');

export function createIdentify({ db, clock, sessions, directoryOf }: IdentityDeps): Identify {
  const absentFor = async (directory: Directory, id: string): Promise<Pick<SignedIn, 'standsFor'>> =>
    hasDeputies(directory) ? { standsFor: standsFor(directory, id, clock.now({ database: await databaseTime(db), workflowTime: null })) } : {};

  const session = async (token: string): Promise<SignedIn | null> => {
    const read = await sessions.read(token);
    if (!read) return null;
    const directory = await directoryOf(read.tenant);
    const person = directory && personOf(directory, read.person);
    if (!person) return null;
    return { ...read, person, directory, ...(await absentFor(directory, person.id)) };
  };
  return {
    session,
    async bearer(header) {
      const token = /^Bearer ([A-Za-z0-9._~+/=-]{1,4096})$/i.exec(header ?? '')?.[1];
      if (token === undefined) throw nobody();
      // A session token has dots, an agent key has none.
      if (token.includes('.')) {
        const signedIn = await session(token);
        if (signedIn) return { kind: 'person', ...signedIn };
      } else {
        const agent = await findAgentByKey(db, token);
        if (agent) return { kind: 'agent', ...agent };
      }
      throw nobody();
    },
  };
}
