/**
 * The policy's public face: files in, findings and a compiled policy out; a request in, a plan or issues out.
 * Pure: no I/O; whoever reads files does it outside.
 */
export { compilePolicy } from './compile';
export { resolve, type Resolved, type RoutingInput } from './resolve';
export type { RoutingCode, RoutingIssue } from './reading';
export { parseDirectory } from './directory';
export { checkAgainstDirectory } from './people';
export { formatFindings, type Finding, type FindingCode, type Severity } from './report';
export type { CompiledPolicy, CompiledRow, CompiledSignOff } from './model';
export { DIRECTORY_FILE, partition, type PolicyFile } from './hash';
