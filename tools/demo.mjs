/** `npm run demo`: the finance example, unattended. */
import { ensurePackages, requireNode, runTs } from './lib.mjs';

requireNode();
await ensurePackages();
process.exitCode = await runTs('examples/finance/demo.ts', process.argv.slice(2));
