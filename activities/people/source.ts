/**
 * A source of people, and what each adds to a tenant's directory. Whoever keeps people elsewhere writes one more of these.
 * Types only.
 */
import type { Instant } from '../../domain/json';
import type { Trx } from '../../record/store/database';

export interface PeopleSource {
  /** As sentences name it: "the file". */
  readonly name: string;
  /** What it knows of a tenant now; null where it has nothing to say. Called under the tenant's lock. */
  read(trx: Trx, tenant: string, now: Instant): Promise<Contribution | null>;
}

export interface KnownPerson {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly roles: readonly string[];
}

/** Somebody whom a source knows not to be there any more: no other source's word brings them back. */
interface Gone {
  readonly id: string;
  /** Null where it was forgotten with the rest. */
  readonly email: string | null;
}

export interface Away {
  readonly person: string;
  readonly from: Instant;
  readonly to: Instant;
  readonly deputy?: string;
}

/** Who has duty for a role at this time, before those who always stand there. */
export interface Shift {
  readonly role: string;
  /** Ids or addresses, who is first first. */
  readonly who: readonly string[];
  /** When to ask again at the latest; null: when the source changes. */
  readonly until: Instant | null;
}

export interface Contribution {
  /** Of the same person in two sources the later one's word holds: name, address, roles. */
  readonly people?: readonly KnownPerson[];
  readonly gone?: readonly Gone[];
  readonly absences?: readonly Away[];
  readonly duty?: { readonly [role: string]: readonly string[] };
  /** Of one role the later source's come first. */
  readonly shifts?: readonly Shift[];
  readonly owners?: { readonly [role: string]: { readonly [of: string]: readonly string[] } };
  /** What is published as it stands where no other source adds anything. */
  readonly text?: string;
  /** What could not be had, in sentences. */
  readonly notes?: readonly string[];
}
