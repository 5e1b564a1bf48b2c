/** `npm run retail`: the actions of a retail agent, sent through the whole system. */
import { ensurePackages, requireNode, runTs } from './lib.mjs';

requireNode();
await ensurePackages();
process.exitCode = await runTs('examples/retail/run.ts', process.argv.slice(2));
