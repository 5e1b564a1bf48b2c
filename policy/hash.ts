/**
 * The identity of a policy or directory: a SHA-256 over its content.
 * Pure: imports @noble/hashes only. Every part is preceded by its length, so that no two different sets of files encode alike.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';

export interface PolicyFile {
  readonly path: string;
  readonly text: string;
}

const framed = (text: string): Uint8Array => {
  const bytes = utf8ToBytes(text);
  return concatBytes(utf8ToBytes(`${bytes.length}:`), bytes);
};

const byPath = (a: PolicyFile, b: PolicyFile): number => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0);

/** The same whatever order the files were read in. */
export const inOrder = (files: readonly PolicyFile[]): readonly PolicyFile[] => [...files].sort(byPath);

/** Lower-case hex. `label` keeps a policy and a directory of equal bytes apart. */
export function contentHash(label: 'policy' | 'directory', files: readonly PolicyFile[]): string {
  return bytesToHex(sha256(concatBytes(framed(`countersign ${label} 1`), ...inOrder(files).flatMap((f) => [framed(f.path), framed(f.text)]))));
}

/** What a policy of these files is known by. */
export const hashOf = (files: readonly PolicyFile[]): string => contentHash('policy', files);

/** The file of a policy's directory that says who people are; everything else in it is the policy. */
const DIRECTORY_FILE = 'directory.yaml';

/** Where a policy's scenarios stand. They are its tests: one more of them is not another policy. */
const SCENARIOS = /^(?:.*\/)?scenarios\//;

interface Parts {
  readonly policy: readonly PolicyFile[];
  /** Null when the file is missing. */
  readonly directory: PolicyFile | null;
  readonly scenarios: readonly PolicyFile[];
}

/** Tells a directory's files apart: the policy's, who people are, and the scenarios, which are no part of its identity. */
export function partition(files: readonly PolicyFile[]): Parts {
  const yaml = files.filter((f) => /\.ya?ml$/.test(f.path));
  const scenarios = inOrder(yaml.filter((f) => SCENARIOS.test(f.path)));
  const others = yaml.filter((f) => !SCENARIOS.test(f.path));
  const isDirectory = (file: PolicyFile): boolean => file.path === DIRECTORY_FILE || file.path.endsWith(`/${DIRECTORY_FILE}`);
  return { policy: others.filter((f) => !isDirectory(f)), directory: others.find(isDirectory) ?? null, scenarios };
}
