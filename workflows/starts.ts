/**
 * Who may start a workflow of ours: nobody but us. An approval has one workflow, under its own id, and so has a delivery.
 * Must not import anything but the protocol.
 */
import { ApplicationFailure, patched, workflowInfo } from '@temporalio/workflow';
import { DELIVERY_WORKFLOW, EFFECTS } from './protocol';

/** Guards the change: a run that began before it goes on as it was. */
const STARTS = 'invented-starts-fail';

/**
 * Anyone who may write to the engine can start a workflow. One that carries no approval under the approval's own id ends here: an
 * approval has one workflow, and its input says which one it is.
 */
export function refuseInventedStart(input: unknown, idOf: (tenant: string, approvalId: string) => string): void {
  const { workflowId } = workflowInfo();
  if (typeof input === 'object' && input !== null && isStart(input) && workflowId === idOf(input.tenant, input.approvalId)) return;
  if (!patched(STARTS)) return;
  throw ApplicationFailure.nonRetryable(
    `${workflowId} is not the workflow of what it was started with. Countersign starts its workflows itself, from the record; nothing was done`,
    'invented_start',
  );
}

function isStart(input: object): input is { readonly tenant: string; readonly approvalId: string } {
  const { tenant, approvalId, timeScale, firstInMs, kind } = input as { readonly [field: string]: unknown };
  const isTime = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value) && value >= 0;
  if (typeof tenant !== 'string' || typeof approvalId !== 'string' || !isTime(timeScale) || timeScale === 0) return false;
  return workflowInfo().workflowType !== DELIVERY_WORKFLOW || (isTime(firstInMs) && typeof kind === 'string' && Object.hasOwn(EFFECTS, kind));
}
