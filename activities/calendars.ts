/**
 * The calendars that hold now, for an approval whose plan names some: days that were closed since, or opening hours that have changed.
 * It promises: they are those of the policy that was published last, by name; where there is none of that name, or that policy cannot be
 * read, the ones that the request was routed by go on holding. Must not import Temporal.
 */
import type { Kysely } from 'kysely';
import type { Calendar } from '../domain/plan';
import type { Tables } from '../record/store/tables';
import type { Active } from './active';
import type { Loaded } from './approvals';
import { SubmitError } from './errors';

export type Calendars = { readonly [name: string]: Calendar };

/** Of the names in the plan, and of no others. Compiled policies are kept by their hash: this costs nothing but for the first time. */
export async function calendarsOf(versionOf: Active['versionOf'], db: Kysely<Tables>, { tenant, plan, policyHash }: Loaded): Promise<Calendars> {
  const pinned = plan.calendars ?? {};
  if (policyHash === null || policyHash === plan.policy.hash) return pinned;
  try {
    const { calendars } = await versionOf(db, tenant, policyHash);
    const now = Object.entries(pinned).map(([name, then]): [string, Calendar] => [name, (Object.hasOwn(calendars, name) && calendars[name]) || then]);
    return Object.fromEntries(now);
  } catch (error) {
    if (error instanceof SubmitError) return pinned;
    throw error;
  }
}
