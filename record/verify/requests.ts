/**
 * What was asked and what the policy said of it: large, so it lies beside the record, which commits to its digests.
 * Pure.
 */
import type { StoredEntry } from '../entry';
import type { Findings } from './findings';

/** A stored request by its digests: as they are kept beside it, and as they come out of what is there now. */
export interface RequestDigests {
  readonly approvalId: string;
  readonly agent: string;
  readonly kept: { readonly body: string; readonly packet: string; readonly action: string };
  readonly found: { readonly body: string; readonly packet: string; readonly action: string; readonly plan: string };
}

const valueOf = (group: readonly StoredEntry[], type: string, name: string): unknown => group.find((e) => e.type === type)?.fields[name]?.value;

/** Each request against the entries `requested` and `routed` of its approval. */
export function checkRequests(groups: ReadonlyMap<string, readonly StoredEntry[]>, requests: readonly RequestDigests[], findings: Findings): void {
  const known = new Map(requests.map((r) => [r.approvalId, r]));
  for (const [approvalId, group] of groups) {
    if (group.some((e) => e.type === 'requested') && !known.has(approvalId))
      findings.add('request_removed', { approvalId }, `The request of ${approvalId} was removed: its record tells of one`);
  }
  for (const request of requests) {
    const { approvalId, kept, found } = request;
    const group = groups.get(approvalId) ?? [];
    const told = (type: string, name: string): unknown => valueOf(group, type, name);
    if (!group.some((e) => e.type === 'requested')) {
      findings.add('request_added', { approvalId }, `The request of ${approvalId} was added: no entry tells of it`);
      continue;
    }
    const differs = [
      [told('requested', 'agent') !== request.agent, 'agent'],
      [[kept.body, found.body].some((d) => d !== told('requested', 'requestDigest')), 'body'],
      [[kept.action, found.action].some((d) => d !== told('requested', 'actionDigest')), 'action'],
      [found.plan !== told('routed', 'planDigest'), 'plan'],
      [[kept.packet, found.packet].some((d) => d !== told('routed', 'packetDigest')), 'packet'],
    ].flatMap(([differing, what]) => (differing === true ? [String(what)] : []));
    if (differs.length > 0)
      findings.add('request_changed', { approvalId }, `The request of ${approvalId} was changed (${differs.join(', ')}): it is not what its record commits to`);
  }
}
