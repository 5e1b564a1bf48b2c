/**
 * Plain JSON, the only shape that crosses a boundary: no Map, Set, Date or class instance does.
 * Pure: imports nothing.
 */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

/** A UTC instant, ISO 8601 with milliseconds (`2026-11-21T09:30:00.000Z`), so that instants sort as text. */
export type Instant = string;

/** Milliseconds since the epoch of an instant. */
export const ms = (at: Instant): number => Date.parse(at);

/** The instant `milliseconds` after the epoch. */
export const instant = (milliseconds: number): Instant => new Date(milliseconds).toISOString();

/** The instant `milliseconds` after `at`. */
export const after = (at: Instant, milliseconds: number): Instant => instant(ms(at) + milliseconds);
