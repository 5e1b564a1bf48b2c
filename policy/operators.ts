/**
 * What the policy lets operators do beside the people it asks: who they are, how far they may extend a deadline, who may override and for
 * which reasons, and who may break the glass. Said once for the whole policy, and pinned in each plan.
 * Pure. Whether anybody holds these roles is held against the directory, in people.ts.
 */
import type { Operators } from '../domain/plan';
import { placeOf, type Declared } from './declare';
import { checkRole } from './ladder';
import type { CompiledOperators, CompiledPolicy } from './model';
import type { Path } from './parse';
import type { Report } from './report';
import { parseDuration } from './units';

const WEEK_MS = 7 * 86_400_000;

/** Null where the policy says nothing of them. */
export function compileOperators(declared: Declared, report: Report): CompiledOperators | null {
  if (!declared.operators) return null;
  const { doc, at } = declared.operators;
  const here = (...path: Path) => placeOf(at, ...path);
  const plain = (role: string, ...path: Path): string => {
    // What they do is not about one request alone, so that there is nothing whose owner it could be.
    if (declared.relativeRoles.has(role))
      report.error('contradiction', here(...path), null, `Whose ${role} is depends on the request, and operators act on all of them; name a plain role`);
    return checkRole(role, here(...path), null, report);
  };
  const rolesIn = (roles: readonly string[], ...path: Path): string[] => [...new Set(roles.map((role, i) => plain(role, ...path, i)))];
  const { override, break_glass: glass } = doc;
  const extendMs = doc.extend_at_most === undefined ? undefined : parseDuration(doc.extend_at_most);
  if (doc.extend_at_most !== undefined && extendMs === undefined)
    report.error('bad_duration', here('extend_at_most'), null, `${doc.extend_at_most} is no duration; write for example 4h`);
  if (extendMs !== undefined && extendMs > WEEK_MS)
    report.warn(
      'long_extension',
      here('extend_at_most'),
      null,
      'One level may be extended by more than seven days; what nobody can decide in a week is better ended and asked again',
    );
  if (override && Object.keys(override.reasons).length === 0)
    report.error(
      'bad_shape',
      here('override', 'reasons'),
      null,
      'reasons: has none, so nothing could be overridden; name at least one, with what it is called',
    );
  if (glass) plain(glass.review.owner, 'break_glass', 'review', 'owner');
  const said: Operators = {
    roles: rolesIn(doc.roles, 'roles'),
    ...(extendMs === undefined ? {} : { extendAtMostMs: extendMs }),
    ...(override
      ? {
          override: {
            roles: rolesIn(override.roles, 'override', 'roles'),
            may: [...new Set(override.may)],
            reasons: override.reasons,
            secondPerson: override.second_person,
          },
        }
      : {}),
    ...(glass ? { breakGlass: { roles: rolesIn(glass.roles, 'break_glass', 'roles'), review: glass.review } } : {}),
  };
  return {
    said,
    at: { all: at.source.keyAt(at.base), roles: here('roles'), override: here('override', 'roles'), breakGlass: here('break_glass', 'roles') },
    reviewAt: here('break_glass', 'review', 'owner'),
  };
}

/** What can only be seen beside the rows. */
export function checkOperators(policy: CompiledPolicy, declared: Declared, report: Report): void {
  if (!policy.operators || !declared.operators) return;
  const { said, at, reviewAt } = policy.operators;
  const { at: written, doc } = declared.operators;
  const rows = [...policy.rows, policy.defaultRow];
  const approvals = rows.filter(({ effect }) => effect === 'approval');
  const asked = rows.some(({ effect }) => effect === 'approval' || effect === 'escalation');
  for (const key of ['extend_at_most', 'override'] as const)
    if (!asked && doc[key] !== undefined)
      report.error('decorative_key', written.source.keyAt([...written.base, key]), null, `No row asks anybody, so ${key}: has no effect; remove it`);
  if (approvals.length === 0 && doc.break_glass)
    report.error(
      'decorative_key',
      written.source.keyAt([...written.base, 'break_glass']),
      null,
      'The glass is broken to approve what waits for a yes, and no row asks for one; remove break_glass:',
    );
  if (approvals.some(({ amount }) => amount !== null))
    for (const role of said.override?.roles ?? [])
      if (said.override?.may.includes('approve') && !Object.hasOwn(policy.authority, role))
        report.warn(
          'role_without_authority',
          at.override,
          null,
          `${role} may override but has no authority, so it cannot approve anything that is measured by an amount; add authority: { ${role}: { up_to: … } }`,
        );
  checkOwnGlass(
    said,
    approvals.map(({ owner }) => owner),
    { at: at.breakGlass, reviewAt },
    report,
  );
}

/** Breaking the glass is loud: somebody else has to hear of it, and somebody else has to look at it. */
function checkOwnGlass(
  { breakGlass }: Operators,
  owners: readonly string[],
  { at, reviewAt }: { readonly at: CompiledOperators['reviewAt']; readonly reviewAt: CompiledOperators['reviewAt'] },
  report: Report,
): void {
  if (!breakGlass) return;
  const { roles, review } = breakGlass;
  if (roles.includes(review.owner))
    report.warn('own_glass', reviewAt, null, `${review.owner} may break the glass, and would review it as well; give the review to another role`);
  const [only, ...others] = [...new Set(owners)];
  if (only !== undefined && others.length === 0 && roles.includes(only))
    report.warn('own_glass', at, null, `${only} may break the glass, and is the only owner who would be told of it; let another role break it, or own a row`);
}
