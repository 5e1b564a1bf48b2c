/**
 * What happens when nobody answers a plan, on the calendars that are pinned in it.
 * Pure. With a directory people are named; without one each role is a person of its own, so that the ladder can still be seen.
 */
import type { Directory, Person } from '../domain/directory';
import type { Instant } from '../domain/json';
import type { Bound, Plan } from '../domain/plan';
import { whenNobodyAnswers, type Silence } from '../domain/silence';
import { workingTimeAfter } from './calendar';

/** `owners`: who owns what, where no directory says it. */
export function silenceOf(plan: Plan, directory: Directory | null, from: Instant, owners: Directory['owners'] = {}): Silence {
  return whenNobodyAnswers(plan, directory ?? everyRole(plan, owners), from, (now, withinMs, calendar) =>
    workingTimeAfter((calendar !== null && plan.calendars?.[calendar]) || null, now, withinMs),
  );
}

function everyRole(plan: Plan, owners: NonNullable<Directory['owners']>): Directory {
  const quorum = Math.max(...plan.signOffs.map((s) => s.quorum));
  const relative = Object.entries(plan.relative ?? {});
  const roles = [
    ...plan.signOffs.flatMap((s) => s.ladder.map((level) => level.role)),
    ...(plan.onTimeout.hold ? [plan.onTimeout.hold.role] : []),
    ...relative.map(([, { backup }]) => backup),
  ].filter((role) => !relative.some(([name]) => name === role));
  const numbered = (id: string): string[] => Array.from({ length: quorum }, (_, i) => `${id}${i === 0 ? '' : ` ${String(i + 1)}`}`);
  const stand = (id: string, name: string, held: readonly string[]): [string, Person] => [id, { id, name, email: '', roles: held, absences: [] }];
  const bound = relative.map(([role, { of, backup }]) => ({ role, of, backup, ids: ownersIn(owners, role, of) ?? numbered(ownerOf(role, { of })) }));
  return {
    hash: '',
    duty: {},
    people: Object.fromEntries([
      ...bound.flatMap(({ of, ids }) => (of === null ? [] : ids.map((id) => stand(id, `whoever is ${inWords(id)}`, [])))),
      ...roles.flatMap((role) => numbered(role).map((id) => stand(id, `whoever is ${inWords(id)}`, [role]))),
    ]),
    owners: Object.fromEntries(bound.map(({ role, of, ids }) => [role, of === null ? {} : { [of]: ids }])),
  };
}

const inWords = (id: string): string => id.replaceAll('_', ' ');
const ownerOf = (role: string, { of }: Pick<Bound, 'of'>): string => `${role} of ${of ?? ''}`;

function ownersIn(owners: NonNullable<Directory['owners']>, role: string, of: string | null): readonly string[] | undefined {
  const owned = Object.hasOwn(owners, role) ? owners[role] : undefined;
  return of !== null && owned && Object.hasOwn(owned, of) ? owned[of] : undefined;
}
