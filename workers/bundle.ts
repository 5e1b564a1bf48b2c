/**
 * The workflows as one script, for the sandbox. `npm run build:workflows` makes it ahead, so that a worker starts in a second and
 * every worker of a release runs the same bytes.
 * Promises: the same sources give the same bytes, wherever the repository lies; a bundle that is missing, cut off, changed, made by
 * another SDK or from other sources is refused in a sentence. Knows nothing of connections.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';
import { bundleWorkflowCode, DefaultLogger, type WorkflowBundle } from '@temporalio/worker';
import { version as sdkVersion } from '@temporalio/worker/package.json';
import { ConfigError, systemCode } from '../activities/config';

const ROOT = resolve(__dirname, '..');
/** What the bundle may hold of ours. */
const SOURCES = ['workflows', 'domain'];
const DEFAULT_BUNDLE = join(ROOT, 'dist', 'workflow-bundle.js');

/** Named in the bundle and in the worker's own converters: the sandbox has its own copies. */
export const PAYLOAD_CONVERTER = require.resolve('../workflows/payload-converter');
export const FAILURE_CONVERTER = require.resolve('../workflows/failure-converter');

interface Header {
  /** Of the code that follows the header. */
  readonly sha256: string;
  readonly sdk: string;
  readonly sources: string;
}

const hashOf = (...parts: readonly (string | Buffer)[]): string => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex');
};

/** One hash over the files that a bundle is made from, by their names and bytes. */
function sourcesHash(): string {
  const files = SOURCES.flatMap((folder) => readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)));
  const kept = files.filter((name) => name.endsWith('.ts')).sort();
  return hashOf(...kept.flatMap((name) => [name.replaceAll(sep, '/'), readFileSync(join(ROOT, name))]));
}

/** Bundles the workflows now. `workflowsPath`: others than the product's, in tests. */
export async function bundleWorkflows(workflowsPath: string = require.resolve('../workflows')): Promise<WorkflowBundle> {
  return await bundleWorkflowCode({
    workflowsPath,
    payloadConverterPath: PAYLOAD_CONVERTER,
    // Also where nothing is encrypted: one bundle for all. Whoever reads a failure finds its text either way.
    failureConverterPath: FAILURE_CONVERTER,
    logger: new DefaultLogger('WARN'),
    webpackConfigHook: (config) => ({
      ...config,
      // Names relative to the repository and no copies of the sources: nothing of the machine that built it.
      context: ROOT,
      devtool: 'inline-nosources-cheap-module-source-map',
      output: { ...config.output, filename: 'workflow-bundle.js', devtoolModuleFilenameTemplate: 'countersign/[resource-path]' },
    }),
  });
}

const HEADER = /^\/\* countersign workflows sha256=([0-9a-f]{64}) sdk=([\w.+-]+) sources=([0-9a-f]{64}) \*\/ /;

function headerOf(text: string): Header | null {
  const [, sha256, sdk, sources] = HEADER.exec(text) ?? [];
  return sha256 === undefined || sdk === undefined || sources === undefined ? null : { sha256, sdk, sources };
}

/** Writes the bundle whole or not at all; gives back the hash of its code. `workflowsPath`: as above. */
export async function writeBundle(path: string, workflowsPath?: string): Promise<string> {
  const { code } = (await bundleWorkflows(workflowsPath)) as { readonly code: string };
  const sha256 = hashOf(code);
  mkdirSync(dirname(path), { recursive: true });
  const aside = `${path}.${String(process.pid)}.tmp`;
  // On the first line, so that the lines of its source map stay true.
  writeFileSync(aside, `/* countersign workflows sha256=${sha256} sdk=${sdkVersion} sources=${sourcesHash()} */ ${code}`);
  renameSync(aside, path);
  return sha256;
}

/** The bundle that COUNTERSIGN_WORKFLOW_BUNDLE names, if it is one of ours and of this release. */
export function readBundle(path: string): WorkflowBundle {
  const text = read(path);
  const header = headerOf(text);
  const refuse = (why: string): never => {
    throw new ConfigError([`COUNTERSIGN_WORKFLOW_BUNDLE names ${path}, ${why}: make it with npm run build:workflows`]);
  };
  if (header === null) return refuse('which is not a bundle of Countersign');
  if (hashOf(text.replace(HEADER, '')) !== header.sha256) return refuse('which was cut off or changed after it was made');
  if (header.sdk !== sdkVersion) return refuse(`which was made for version ${header.sdk} of the Temporal SDK while this is ${sdkVersion}`);
  if (header.sources !== sourcesHash()) return refuse('which was made from other sources than this release has');
  return { code: text };
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ConfigError([`COUNTERSIGN_WORKFLOW_BUNDLE names ${path}, which cannot be read (${systemCode(cause)}): make it with npm run build:workflows`]);
  }
}

if (require.main === module) {
  const path = resolve(process.argv[2] ?? DEFAULT_BUNDLE);
  writeBundle(path).then(
    (sha256) => process.stdout.write(`${path}\nsha256 ${sha256}\n`),
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
      process.exitCode = 1;
    },
  );
}
