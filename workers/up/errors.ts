/** Why `npm start` cannot go on: a stable code and one sentence. Imports nothing. */
export type UpErrorCode = 'already_running' | 'bad_flags' | 'bad_home' | 'bad_keys_file' | 'bad_policy' | 'part_failed' | 'disk_full';

export class UpError extends Error {
  override readonly name = 'UpError';

  constructor(
    readonly code: UpErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** One sentence for the terminal, whatever was thrown. */
export function sentenceOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const first = text.trim().split('\n', 1)[0] ?? '';
  return /[.!?]$/.test(first) ? first : `${first}.`;
}
