/**
 * The composition that the API and the worker share: submit and commit over one store, with one clock and one set of keys.
 * Must not import client or workers.
 */
import { createActive, type Active } from './active';
import { createCommit, type Commit } from './commit';
import type { Deps } from './deps';
import { createPace, type Pace } from './pace';
import { NO_PROVIDERS, type Providers } from './providers';
import { createSubmit, type Submit } from './submit';
import { createTokens, type Tokens } from './tokens';

export interface Core {
  readonly deps: Deps;
  readonly active: Active;
  readonly tokens: Tokens;
  /** Which agents answer soon: the worker's attempts teach it, its commits ask it. */
  readonly pace: Pace;
  readonly submit: Submit;
  readonly commit: Commit;
}

/** `providers`: who is asked for facts at submit. */
export function createCore(deps: Deps, providers: Providers = NO_PROVIDERS): Core {
  const active = createActive();
  const tokens = createTokens({ keys: deps.keys, issuer: deps.publicUrl });
  const pace = createPace();
  const shared = { ...deps, pace, mint: tokens.mint, policyOf: active.policyOf, versionOf: active.versionOf, directoryOf: active.directoryOf };
  return { deps, active, tokens, pace, submit: createSubmit({ ...shared, providers }), commit: createCommit(shared) };
}
