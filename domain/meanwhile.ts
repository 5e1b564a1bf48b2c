/**
 * What the policy has done while a request is open, and undone when it ends: the customer told, a case or an incident opened, credentials
 * paused. What was paused works again at every end, but for what silence disables.
 * Pure: imports only from domain. Must not import ladder.ts, which uses this.
 */
import type { Owed } from './events';
import type { Plan } from './plan';
import type { ApprovalState } from './state';
import type { Context, Story } from './story';

/** Begins with the request, before anybody is asked: nothing is told where the row has nothing done. */
export function beginMeanwhile(story: Story, { plan, hasCustomerAddress }: Pick<Context, 'plan' | 'hasCustomerAddress'>): void {
  const { effects = {}, agent } = plan.meanwhile;
  if (Object.keys(effects).length === 0) return;
  const { tellCustomer, openCase, raiseIncident, pauseCredentials = [] } = effects;
  const owed: Owed[] = [
    // First what keeps harm away.
    ...pauseCredentials.map((one): Owed => ({ kind: 'pause_credential', ...one })),
    ...(raiseIncident ? [{ kind: 'raise_incident', ...raiseIncident } as const] : []),
    ...(openCase ? [{ kind: 'open_case', ...openCase } as const] : []),
    ...(tellCustomer && hasCustomerAddress ? [{ kind: 'tell_customer', ...tellCustomer } as const] : []),
  ];
  story.tell({ type: 'meanwhile_begun', directive: agent, owed });
}

/** What was paused, as the record says, whether or not the pause ever arrived. `silent`: nobody decided. */
export function resumedAtEnd({ owed }: Pick<ApprovalState, 'owed'>, { onTimeout }: Plan, silent: boolean): Owed[] {
  const disabled = silent ? (onTimeout.disableCredentials ?? []).map(({ credential }) => credential) : [];
  const paused = owed.flatMap(({ owed: debt }) => (debt.kind === 'pause_credential' ? [debt] : []));
  return paused
    .filter(({ credential }, i) => !disabled.includes(credential) && paused.findIndex((other) => other.credential === credential) === i)
    .map(({ credential, reason }): Owed => ({ kind: 'resume_credential', credential, reason }));
}
