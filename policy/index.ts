/**
 * The policy's public face: files in, findings and a compiled policy out; a request in, a plan or issues out.
 * Pure: no I/O; whoever reads files does it outside.
 */
export { compilePolicy } from './compile';
export { issuesOfRequest, resolve, type RoutingInput } from './resolve';
export type { RoutingIssue } from './reading';
export { explain, type Explained } from './explain';
export { givenBy, judgeAnswer, lacking, questionsOf, type Question } from './providers';
export { parseDirectory, type DirectoryDocument, type Rotation } from './directory';
export { checkAgainstDirectory } from './people';
export { FINDINGS, formatFindings, type Finding, type FindingCode } from './report';
export { workingTimeAfter, workingTimeBetween } from './calendar';
export type { CompiledPolicy } from './model';
export { hashOf, partition, type PolicyFile } from './hash';
export { silenceOf } from './silence';
export { testScenarios } from './scenario';
export { diffPolicies, formatDiff, summarizeDiff } from './diff';
export { jsonSchema, SCHEMAS } from './json-schema';
export { sarif } from './sarif';
export { durationText, parseDuration, parseMoney } from './units';
export { movesInWords } from './words';
export { createReplay, looksBackMs } from './replay';
export { ReplaySchema, type ReplayReport } from './replay-report';
