/**
 * The record's public entry point for whoever verifies: pure, no store, no I/O.
 */
export { canonical, digest, parseStrict } from './canonical';
export { makeNote, readNote, verifierKey, type NoteReading, type TreeHead } from './checkpoint';
export { ERASED, type StoredEntry, type PersonalField } from './entry';
export { RecordError, type RecordErrorCode } from './errors';
export { ExportReader, exportLines, readExport } from './export';
export { generateKeys, keysFromJson, keysToJson, trustedFromJson, trustedToJson, type KeyPair, type Keys, type Trusted } from './keys';
export { checkSignature, sign, verifySignature, type Label } from './signing';
export { verifyRecord, type Finding, type FindingCode, type RecordExport, type VerifyOptions, type VerifyReport } from './verify';
