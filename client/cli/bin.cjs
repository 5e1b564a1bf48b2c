#!/usr/bin/env node
// The command: TypeScript is loaded as it is, so that nothing has to be built first.
require('tsx/cjs');
require('./main.ts');
