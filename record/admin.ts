/**
 * What is on the record beside approvals: which policy and which directory hold, since when, by whom; and whether requests are taken.
 * They lie in the same log under a reserved approval id, so that one proof covers them.
 * Field names are part of the record's format: add, never rename.
 * Pure: imports nothing.
 */

/** No approval has this id: those are minted with more characters. */
export const ADMIN_APPROVAL = 'policy';

export const INTAKE_SCOPES = ['tenant', 'agent', 'lane'] as const;
/** Whose requests a pause of intake is about: all of the tenant, those of one agent, those that one lane would have to judge. */
export type IntakeScope = (typeof INTAKE_SCOPES)[number];

/** Whose requests are meant, in words. */
export const whichOf = ({ scope, name }: { readonly scope: IntakeScope; readonly name: string }): string =>
  scope === 'tenant' ? 'all requests' : `the ${scope} ${name}`;

/** What a pause means for requests that were taken before it: their clocks run on, or each is withdrawn. */
export const INTAKE_OPEN = ['run', 'withdraw'] as const;
export type IntakeOpen = (typeof INTAKE_OPEN)[number];

export type AdminEvent =
  | { readonly type: 'policy_published'; readonly name: string; readonly version: string; readonly hash: string; readonly by: string }
  | { readonly type: 'directory_published'; readonly hash: string; readonly by: string }
  /** `name` is empty for the tenant. */
  | {
      readonly type: 'intake_paused';
      readonly scope: IntakeScope;
      readonly name: string;
      readonly reason: string;
      readonly open: IntakeOpen;
      readonly by: string;
    }
  | { readonly type: 'intake_resumed'; readonly scope: IntakeScope; readonly name: string; readonly reason: string; readonly by: string };

const TYPES = { policy_published: true, directory_published: true, intake_paused: true, intake_resumed: true } as const satisfies Record<
  AdminEvent['type'],
  true
>;

export const isAdminEvent = (event: { readonly type: string }): event is AdminEvent => Object.hasOwn(TYPES, event.type);
