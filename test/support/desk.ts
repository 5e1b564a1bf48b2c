/**
 * The desk that most tests work at: one tenant, one agent, and how its policy and directory are published.
 */
import type { AgentIdentity } from '../../domain/request';
import { compilePolicy, formatFindings, parseDirectory } from '../../policy';
import { publishDirectory, publishPolicy } from '../../record/store/policies';
import type { TestStore } from './store';

export const TENANT = 'acme';
export const AGENT: AgentIdentity = { tenant: TENANT, agent: 'refund-bot', owner: 'rita' };
/** Callback secret of the test agent. */
export const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

/** Publishes as an operator would; a policy with findings fails the test with them. */
export async function publish(store: Pick<TestStore, 'db' | 'keys'>, policyText: string, directoryText: string, tenant = TENANT): Promise<void> {
  const files = [{ path: 'policy.yaml', text: policyText }];
  const { policy, findings } = compilePolicy(files);
  if (!policy) throw new Error(formatFindings(findings));
  const parsed = parseDirectory(directoryText, 'directory.yaml');
  if (!parsed.directory) throw new Error(formatFindings(parsed.findings));
  const meta = { tenant, by: 'omar', at: new Date().toISOString(), record: store.keys.record };
  await publishPolicy(store.db, { hash: policy.hash, name: policy.name, version: policy.version, files }, meta);
  await publishDirectory(store.db, { hash: parsed.directory.hash, text: directoryText }, meta);
}
