/**
 * Whether the chain of one plan has all that another asks for: what a conditional yes leaves of the action is routed again, and may only
 * be as strict or less. Whatever cannot be said to be covered is not. Pure: imports only from domain.
 */
import { compareMoney, formatMoney } from './money';
import { TIERS, type Conditions, type Plan } from './plan';

/** What `again` asks for and `chain` does not have, a phrase each; empty where all of it is covered. */
export function uncovered(chain: Plan, again: Plan, conditions: Conditions): string[] {
  if (again.effect === 'block') return ['the policy forbids it'];
  if (again.effect === 'escalation') return ['a person has to take it over'];
  return [
    ...(TIERS.indexOf(again.tier) > TIERS.indexOf(chain.tier) ? [`tier ${again.tier}`] : []),
    ...signOffs(chain, again),
    ...(chain.samePersonAllowed && !again.samePersonAllowed && again.signOffs.length > 1 ? ['two different people'] : []),
    ...owners(chain, again),
    ...amount(chain, again),
    ...options(again, conditions),
    ...exception(chain, again),
  ];
}

function signOffs(chain: Plan, again: Plan): string[] {
  return again.signOffs.flatMap((wanted) => {
    const had = chain.signOffs.find((s) => s.lane === wanted.lane && s.role === wanted.role);
    if (!had) return [`a sign-off by ${wanted.role} (${wanted.lane})`];
    if (had.quorum < wanted.quorum) return [`${String(wanted.quorum)} people of ${wanted.role} (${wanted.lane})`];
    // Who may step in here has to be one who may step in there.
    const foreign = had.ladder.find((level) => !wanted.ladder.some(({ role }) => role === level.role));
    return foreign ? [`a sign-off by ${wanted.role} (${wanted.lane}) for which ${foreign.role} does not stand in`] : [];
  });
}

/** What is left may be somebody else's: then they have not been asked. */
function owners(chain: Plan, again: Plan): string[] {
  return Object.entries(again.relative ?? {}).flatMap(([role, { of, backup }]) => {
    const had = chain.relative && Object.hasOwn(chain.relative, role) ? chain.relative[role] : undefined;
    return had?.of === of && had.backup === backup ? [] : [`a sign-off by the ${role} of ${of ?? 'what is left'}`];
  });
}

function amount(chain: Plan, again: Plan): string[] {
  const { amount: wanted } = again;
  if (wanted === null) return [];
  const { amount: had } = chain;
  if (!had || had.currency !== wanted.currency || compareMoney(wanted, had) > 0) return [`authority for ${formatMoney(wanted)}`];
  const wider = Object.entries(again.authority).find(
    ([role, limit]) => !Object.hasOwn(chain.authority, role) || reachesFarther(chain.authority[role] ?? null, limit),
  );
  return wider ? [`the authority of ${wider[0]} to be measured`] : [];
}

const reachesFarther = (had: Plan['authority'][string], limit: Plan['authority'][string]): boolean =>
  limit !== null && (had === null || had.currency !== limit.currency || compareMoney(had, limit) > 0);

function options({ offers }: Plan, { option }: Conditions): string[] {
  const names = offers?.options && Object.keys(offers.options);
  return names && (option === undefined || !names.includes(option)) ? [`one of the options ${names.join(', ')}`] : [];
}

function exception(chain: Plan, again: Plan): string[] {
  const below = (again.exception?.below ?? []).filter((role) => !chain.exception?.below?.includes(role));
  const other = chain.exception?.refuserAllowed && !again.exception?.refuserAllowed;
  return [...(below.length > 0 ? [`more authority than ${below.join(', ')} has`] : []), ...(other ? ['another person than who refused it before'] : [])];
}
