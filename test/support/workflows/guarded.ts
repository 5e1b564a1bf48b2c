/** The workflows of a later release: an approval that, where it begins under it, waits a moment first. Guarded, as every change is. */
import { patched, sleep } from '@temporalio/workflow';
import { approval as today } from '../../../workflows';
import type { ApprovalInput } from '../../../workflows/protocol';

export { delivery, reconcile } from '../../../workflows';

export async function approval(input: ApprovalInput): ReturnType<typeof today> {
  if (patched('a-later-release')) await sleep('10ms');
  return await today(input);
}
