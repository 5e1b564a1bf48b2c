/**
 * How much one message may hold, and how many things it may be about. What is longer is refused by its form, before anything is stored.
 * Pure: no imports.
 */

/** A comment or a reply, in characters. */
export const TEXT_MAX = 4_000;
/** A question, in characters. */
export const QUESTION_MAX = 2_000;
/** One piece of evidence, in bytes; how many there may be is the machine's to say. */
export const EVIDENCE_BYTES_MAX = 64 * 1024;
/** No character takes less than a byte. */
export const EVIDENCE_CONTENT_MAX = EVIDENCE_BYTES_MAX;
/** A body that holds it: JSON writes a character with at most six. */
export const EVIDENCE_BODY_MAX = 6 * EVIDENCE_BYTES_MAX + 8 * 1024;
/** Approvals of one act. */
export const BULK_MAX = 100;
/** A year; the policy says how much of it is allowed. */
export const EXTENSION_MINUTES_MAX = 366 * 24 * 60;
