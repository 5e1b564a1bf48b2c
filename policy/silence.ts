/**
 * What happens when nobody answers a plan, on the calendars that are pinned in it.
 * Pure. With a directory people are named; without one each role is a person of its own, so that the ladder can still be seen.
 */
import type { Directory } from '../domain/directory';
import type { Instant } from '../domain/json';
import type { Plan } from '../domain/plan';
import { whenNobodyAnswers, type Silence } from '../domain/silence';
import { workingTimeAfter } from './calendar';

export function silenceOf(plan: Plan, directory: Directory | null, from: Instant): Silence {
  return whenNobodyAnswers(plan, directory ?? everyRole(plan), from, (now, withinMs, calendar) =>
    workingTimeAfter((calendar !== null && plan.calendars?.[calendar]) || null, now, withinMs),
  );
}

function everyRole(plan: Plan): Directory {
  const quorum = Math.max(...plan.signOffs.map((s) => s.quorum));
  const roles = [...plan.signOffs.flatMap((s) => s.ladder.map((level) => level.role)), ...(plan.onTimeout.hold ? [plan.onTimeout.hold.role] : [])];
  const named = roles.flatMap((role) => Array.from({ length: quorum }, (_, i) => ({ id: `${role}${i === 0 ? '' : ` ${String(i + 1)}`}`, role })));
  return {
    hash: '',
    duty: {},
    people: Object.fromEntries(
      named.map(({ id, role }) => [id, { id, name: `whoever is ${id.replaceAll('_', ' ')}`, email: '', roles: [role], absences: [] }]),
    ),
  };
}
