/**
 * Why a call to an agent's address was not made or did not come back. One class, a closed union of codes.
 * Imports nothing.
 */
export type EgressCode =
  | 'url_invalid'
  | 'scheme_refused'
  | 'host_refused'
  | 'port_refused'
  | 'address_refused'
  | 'dns_failed'
  | 'connection_failed'
  | 'tls_failed'
  | 'timeout'
  | 'redirect_refused'
  | 'response_invalid';

/** The address itself is refused: no connection is made, whoever asks. */
export interface EgressRefusal {
  readonly code: EgressCode;
  /** One sentence: what, and how to mend it. Never shows what an address resolved to. */
  readonly message: string;
}

export class EgressError extends Error implements EgressRefusal {
  readonly code: EgressCode;
  /** Only for a response that was refused, such as a redirect. */
  readonly status: number | null;
  readonly latencyMs: number;
  constructor(refusal: EgressRefusal, options: ErrorOptions & { readonly status?: number; readonly latencyMs?: number } = {}) {
    super(refusal.message, options);
    this.name = 'EgressError';
    this.code = refusal.code;
    this.status = options.status ?? null;
    this.latencyMs = options.latencyMs ?? 0;
  }
}
