/** The workflows after a change that nobody guarded: an approval that waits a moment before it begins. Must fail to replay. */
import { sleep } from '@temporalio/workflow';
import { approval as today } from '../../../workflows';
import type { ApprovalInput } from '../../../workflows/protocol';

export { delivery, reconcile } from '../../../workflows';

export async function approval(input: ApprovalInput): ReturnType<typeof today> {
  await sleep('1s');
  return await today(input);
}
