/**
 * What is on the record beside approvals: which policy and which directory hold, since when, by whom.
 * They lie in the same log under a reserved approval id, so that one proof covers them.
 * Field names are part of the record's format: add, never rename.
 * Pure: imports nothing.
 */

/** No approval has this id: those are minted with more characters. */
export const ADMIN_APPROVAL = 'policy';

export type AdminEvent =
  | { readonly type: 'policy_published'; readonly name: string; readonly version: string; readonly hash: string; readonly by: string }
  | { readonly type: 'directory_published'; readonly hash: string; readonly by: string };

export const isAdminEvent = (event: { readonly type: string }): event is AdminEvent =>
  event.type === 'policy_published' || event.type === 'directory_published';
