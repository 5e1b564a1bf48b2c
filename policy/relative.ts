/**
 * Relative roles: whose a role is depends on what the request is about, such as the lead of this account or the owner of this service.
 * The policy says by which value, the directory who owns it, and a plain role stands in where nobody does.
 * Pure.
 */
import type { Plan } from '../domain/plan';
import type { Names, Reading } from './cel/names';
import { placeOf, type Declared } from './declare';
import { checkRole } from './ladder';
import type { CompiledPolicy, CompiledRelativeRole, CompiledRow } from './model';
import type { Report } from './report';
import { typeName } from './units';

/** What an owner can be found by: a part of what is executed, or a fact. */
const PATH = /^(?:action\.params\.[a-z0-9_]+|action\.system|facts\.[a-z0-9_]+)$/;

export function compileRelative(declared: Declared, names: Names, report: Report): { readonly [role: string]: CompiledRelativeRole } {
  const roles = [...declared.relativeRoles].map(([role, { doc, at }]): [string, CompiledRelativeRole] => {
    const { of, backup } = doc;
    const type = names.get(of);
    const place = placeOf(at, 'of');
    if (!PATH.test(of))
      report.error('bad_owner_path', place, null, `${role} cannot be found by ${of}; name a param, the system or a fact, such as action.params.account`);
    else if (!type) report.error('bad_owner_path', place, null, `${role} is found by ${of}, which is declared nowhere; check the spelling, or declare it`);
    else if (type.kind !== 'string')
      report.error('bad_owner_path', place, null, `${role} is found by ${of}, which is ${typeName(type)}; owners are listed by a text, so it has to be string`);
    else if (declared.facts.get(of.slice('facts.'.length))?.source === 'agent' && of.startsWith('facts.'))
      report.warn(
        'claimed_owner',
        place,
        null,
        `The agent itself says what ${of} is, and so who is asked; find ${role} by a param of the action, the system, or a fact of a provider`,
      );
    checkRole(backup, placeOf(at, 'backup'), null, report);
    if (declared.relativeRoles.has(backup))
      report.error(
        'contradiction',
        placeOf(at, 'backup'),
        null,
        `The backup of ${role} is ${backup}, which depends on the request as well; name a plain role, which somebody always holds`,
      );
    return [role, { of, backup, at: at.source.keyAt(at.base) }];
  });
  return Object.fromEntries(roles);
}

type Naming = Pick<Plan, 'signOffs' | 'owner' | 'onTimeout' | 'meanwhile'>;

/** Every role that a plan or a row names: who is asked, who is paged, who owns it, whose its ticket, case or incident is. */
const rolesNamed = ({ signOffs, owner, onTimeout, meanwhile }: { readonly [K in keyof Naming]: Naming[K] | CompiledRow[K] }): string[] => [
  ...signOffs.flatMap(({ role, ladder }) => [role, ...ladder.map((level) => level.role)]),
  owner,
  ...(onTimeout.hold ? [onTimeout.hold.role] : []),
  ...[onTimeout.ticket, meanwhile.effects?.openCase, meanwhile.effects?.raiseIncident].flatMap((task) => (task ? [task.owner] : [])),
];

export function checkRelative(policy: CompiledPolicy, declared: Declared, report: Report): void {
  const named = new Set([...policy.rows, policy.defaultRow].flatMap((row) => [...rolesNamed(row), ...(row.expedite?.ladder ?? []).map(({ role }) => role)]));
  for (const [role, { at }] of declared.relativeRoles)
    if (!named.has(role))
      report.warn('unused_relative_role', at.source.keyAt(at.base), null, `No row names the role ${role}; remove it, or ask or page it in a row`);
}

/** What the relative roles of a plan are bound to; absent where it names none. */
export function boundRoles(policy: Pick<CompiledPolicy, 'relativeRoles'>, plan: Naming, reading: Reading): Pick<Plan, 'relative'> {
  const named = new Set(rolesNamed(plan));
  const bound = Object.entries(policy.relativeRoles)
    .filter(([role]) => named.has(role))
    .map(([role, { of, backup }]) => {
      const value = reading.get(of);
      return [role, { of: typeof value === 'string' ? value : null, backup }] as const;
    });
  return bound.length === 0 ? {} : { relative: Object.fromEntries(bound) };
}
