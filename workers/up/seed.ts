/**
 * What a first start finds nothing of: a policy, a directory, an agent. Promises that a later start changes none of what people published since.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Person } from '../../domain/directory';
import { compilePolicy, formatFindings, parseDirectory, partition } from '../../policy';
import type { Keys } from '../../record/keys';
import { agentByName, issueKey, registerAgent } from '../../record/store/agents';
import { databaseTime, type Db } from '../../record/store/database';
import { activeDirectory, activePolicy, publishDirectory, publishPolicy } from '../../record/store/policies';
import { writeWhole } from '../disk';
import { UpError } from './errors';

export const TENANT = 'demo';
export const AGENT = 'demo-agent';
const BY = 'npm start';
/** Answers for the sample agent, and so may not decide for it: nobody whom the sample policy asks first. */
const OWNER = 'ravi_menon';

export interface Seeded {
  readonly policy: { readonly name: string; readonly version: string; readonly hash: string };
  /** The sample directory holds another policy than the one that is active. */
  readonly sampleDiffers: boolean;
  readonly people: readonly Person[];
  /** Only when it was made just now. */
  readonly newAgentKey: string | null;
}

export interface SeedOptions {
  readonly db: Db;
  readonly keys: Keys;
  /** A directory of policy files with the directory of people among them. */
  readonly sample: string;
  /** Where the agent's key and callback secret are kept for programs that are tried out. */
  readonly agentFile: string;
}

export async function seed(options: SeedOptions): Promise<Seeded> {
  const { db, keys } = options;
  const sample = readSample(options.sample);
  const meta = { tenant: TENANT, by: BY, at: await databaseTime(db), record: keys.record };
  if ((await activePolicy(db, TENANT)) === null) await publishPolicy(db, sample.policy, meta);
  if ((await activeDirectory(db, TENANT)) === null) await publishDirectory(db, sample.directory, meta);
  const policy = await activePolicy(db, TENANT);
  const directory = await activeDirectory(db, TENANT);
  if (policy === null || directory === null)
    throw new UpError('bad_policy', `Tenant ${TENANT} has no policy although one was published just now: start again.`);
  const people = Object.values(parseDirectory(directory.text, 'directory.yaml').directory?.people ?? {});
  const newAgentKey = await seedAgent(options, meta.at, people);
  return { policy, sampleDiffers: policy.hash !== sample.policy.hash, people, newAgentKey };
}

async function seedAgent({ db, agentFile }: SeedOptions, at: string, people: readonly Person[]): Promise<string | null> {
  const known = await agentByName(db, TENANT, AGENT);
  if (known !== null && existsSync(agentFile)) return null;
  const secret = known?.callbackSecrets[0] ?? `whsec_${randomBytes(32).toString('base64')}`;
  const owner = people.some((person) => person.id === OWNER) ? OWNER : null;
  if (known === null) await registerAgent(db, { tenant: TENANT, agent: AGENT, owner, callbackHosts: ['127.0.0.1', 'localhost'], callbackSecrets: [secret] });
  const key = await issueKey(db, { tenant: TENANT, agent: AGENT, at });
  writeWhole(agentFile, `COUNTERSIGN_KEY=${key}\nCOUNTERSIGN_CALLBACK_SECRET=${secret}\n`, 0o600);
  return key;
}

function readSample(dir: string): { readonly policy: Parameters<typeof publishPolicy>[1]; readonly directory: Parameters<typeof publishDirectory>[1] } {
  const all = readdirSync(dir)
    .filter((name) => /\.ya?ml$/.test(name))
    .map((path) => ({ path, text: readFileSync(join(dir, path), 'utf8') }));
  const { policy: files, directory: file } = partition(all);
  const compiled = compilePolicy(files);
  if (compiled.policy === null)
    throw new UpError('bad_policy', `The sample policy in ${dir} cannot be published: ${formatFindings(compiled.findings.slice(0, 1)).trim()}`);
  const parsed = file === null ? null : parseDirectory(file.text, file.path);
  if (file === null || parsed === null || parsed.directory === null) {
    const why = parsed === null ? 'directory.yaml is missing' : formatFindings(parsed.findings.slice(0, 1)).trim();
    throw new UpError('bad_policy', `The sample directory of people in ${dir} cannot be published: ${why}`);
  }
  const { hash, name, version } = compiled.policy;
  return { policy: { hash, name, version, files: [...files] }, directory: { hash: parsed.directory.hash, text: file.text } };
}
