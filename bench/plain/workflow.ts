/**
 * The approval that a team writes for itself in an afternoon: tell the approver, wait for a decision or the deadline, note it, call the
 * agent back. Three regular activities and a timer, nothing else. And a workflow with no activity at all, which is the engine's own speed.
 */
import { condition, defineSignal, defineUpdate, proxyActivities, setHandler } from '@temporalio/workflow';
import type { PlainActivities, PlainDecision, PlainOutcome, PlainRequest } from './protocol';

const activities = proxyActivities<PlainActivities>({ startToCloseTimeout: '20s', retry: { maximumInterval: '30s' } });

export const decideUpdate = defineUpdate<{ accepted: boolean }, [PlainDecision]>('decide');
export const goSignal = defineSignal<[string]>('go');

export async function plainApproval(request: PlainRequest): Promise<PlainOutcome> {
  let decision: PlainDecision | undefined;
  setHandler(decideUpdate, (given) => {
    if (decision) return { accepted: false };
    decision = given;
    return { accepted: true };
  });
  await activities.notify(request);
  await condition(() => decision !== undefined, request.deadlineMs);
  const { id } = request;
  const outcome: PlainOutcome = decision
    ? { id, outcome: decision.approved ? 'approved' : 'denied', by: decision.by, reason: decision.reason }
    : { id, outcome: 'expired', by: null, reason: 'Nobody answered in time' };
  await activities.audit(outcome);
  await activities.callback({ url: request.callbackUrl, outcome });
  return outcome;
}

export async function bare(): Promise<string> {
  let said: string | undefined;
  setHandler(goSignal, (word) => {
    said = word;
  });
  await condition(() => said !== undefined);
  return said ?? '';
}
