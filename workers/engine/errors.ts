/**
 * The one error of the engine launcher: a sentence for the person at the terminal and a stable code for programs.
 * Must not import anything.
 */
export type EngineErrorCode =
  /** No server given, none on PATH, no download, no Go. */
  | 'engine_unavailable'
  /** Go is here, but the pinned module did not build. */
  | 'engine_build_failed'
  | 'port_in_use'
  /** The server was started and died, or never answered. */
  | 'engine_failed'
  /** Its database file is damaged, or of another version of the server. */
  | 'engine_database_broken'
  | 'disk_full'
  /** The server named by TEMPORAL_ADDRESS does not answer. */
  | 'engine_unreachable'
  /** It answers, and does not let us in. */
  | 'engine_refused'
  | 'search_attributes_missing'
  | 'search_attributes_failed'
  /** No download of the time-skipping server, and no Java or no Maven. */
  | 'time_skipping_unavailable'
  | 'time_skipping_failed'
  /** The per-user cache cannot be written. */
  | 'cache_unusable';

export class EngineError extends Error {
  override readonly name = 'EngineError';

  constructor(
    readonly code: EngineErrorCode,
    message: string,
    options?: { readonly cause?: unknown },
  ) {
    super(message, options);
  }
}

/** What a thrown thing says, in one line. */
export const sayCause = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split('\n', 1)[0] ?? '';

/** The system's code of a thrown thing, such as EEXIST. Asks for the field, not the class: errors of Node cross realms. */
export const systemCode = (error: unknown): string | null =>
  typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code : null;
