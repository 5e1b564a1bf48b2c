/**
 * The composition that the API and the worker share: submit and commit over one store, with one clock and one set of keys.
 * Must not import client or workers.
 */
import { createActive, type Active } from './active';
import { createCommit, type Commit } from './commit';
import type { Deps } from './deps';
import { createSubmit, type Submit } from './submit';
import { createTokens, type Tokens } from './tokens';

export interface Core {
  readonly deps: Deps;
  readonly active: Active;
  readonly tokens: Tokens;
  readonly submit: Submit;
  readonly commit: Commit;
}

export function createCore(deps: Deps): Core {
  const active = createActive();
  const tokens = createTokens({ keys: deps.keys, issuer: deps.publicUrl });
  const shared = { ...deps, mint: tokens.mint, policyOf: active.policyOf, directoryOf: active.directoryOf };
  return { deps, active, tokens, submit: createSubmit(shared), commit: createCommit(shared) };
}
