/**
 * Who may import whom (docs/architecture.md). Checked by test/unit/ground/imports.test.ts, which also shows that each rule bites.
 * Type-only imports count like any other, except where a rule says so: they are what ties two folders together.
 */

/** A package by name, wherever npm put it. */
const npm = (names) => `(^|/)node_modules/(${names.join('|')})/`;
const ANY_PACKAGE = '(^|/)node_modules/';
const PURE = '^(domain|policy|record)/';
const STORE = '^record/store/';

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'Two files that need each other are one file, or a third is missing.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'ships-no-dev-packages',
      comment: 'The image holds the packages of "dependencies" alone. Two files import one of the others when a test asks them to, not before.',
      severity: 'error',
      from: { path: '^(activities|client|domain|policy|record|workers|workflows)/', pathNot: '^workers/engine/(download|time-skipping)\\.ts$' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'resolvable',
      comment: 'An import that leads nowhere escapes every other rule.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'pure-no-node',
      comment: 'domain, policy and the pure half of record run anywhere, the browser and an auditor’s laptop included: no Node built-ins.',
      severity: 'error',
      from: { path: PURE, pathNot: STORE },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'domain-only-domain',
      comment: 'The domain knows no policy language, store or engine. A digest it may compute (record/canonical).',
      severity: 'error',
      from: { path: '^domain/' },
      to: { path: '^[^/]+', pathNot: ['^domain/', '^record/canonical\\.ts$', ANY_PACKAGE], dependencyTypesNot: ['core'] },
    },
    {
      name: 'domain-packages',
      comment: 'The domain may use a validator and a hash, and nothing else from npm.',
      severity: 'error',
      from: { path: '^domain/' },
      to: { path: ANY_PACKAGE, pathNot: npm(['zod', '@noble/[^/]+']) },
    },
    {
      name: 'policy-only-domain',
      comment: 'A policy is read and resolved without I/O: it imports the domain and canonical hashing.',
      severity: 'error',
      from: { path: '^policy/' },
      to: { path: '^[^/]+', pathNot: ['^(domain|policy)/', '^record/canonical\\.ts$', ANY_PACKAGE], dependencyTypesNot: ['core'] },
    },
    {
      name: 'policy-packages',
      comment: 'Parsing, validating, evaluating, hashing and zone arithmetic; no driver and no network.',
      severity: 'error',
      from: { path: '^policy/' },
      to: { path: ANY_PACKAGE, pathNot: npm(['yaml', 'zod', '@marcbachmann/cel-js', 'moment-timezone', 'moment', 'date-holidays', '@noble/[^/]+']) },
    },
    {
      name: 'policy-front-door',
      comment: 'A policy is compiled and resolved through policy/index; what lies behind it may change.',
      severity: 'error',
      from: { pathNot: '^(policy|test|bench)/' },
      to: { path: '^policy/(?!index\\.ts$)' },
    },
    {
      name: 'record-pure-only-domain',
      comment: 'Verification knows nothing of who wrote the log: no store, no engine.',
      severity: 'error',
      from: { path: '^record/', pathNot: STORE },
      to: { path: '^[^/]+', pathNot: ['^domain/', '^record/(?!store/)', ANY_PACKAGE], dependencyTypesNot: ['core'] },
    },
    {
      name: 'record-pure-packages',
      comment: 'Hashes, signatures and a validator.',
      severity: 'error',
      from: { path: '^record/', pathNot: STORE },
      to: { path: ANY_PACKAGE, pathNot: npm(['zod', '@noble/[^/]+']) },
    },
    {
      name: 'store-no-engine',
      comment: 'The store is below the activities: it imports the record, the domain and its driver.',
      severity: 'error',
      from: { path: STORE },
      to: { path: ['^(policy|workflows|activities|workers|client|test|bench|examples)/', npm(['@temporalio/[^/]+'])] },
    },
    {
      name: 'workflows-no-node',
      comment: 'Workflow code runs in a sandbox without Node.',
      severity: 'error',
      from: { path: '^workflows/' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'workflows-packages',
      comment: 'Only the workflow half of the SDK: anything else is bundled, replayed, and may differ between versions.',
      severity: 'error',
      from: { path: '^workflows/' },
      to: { path: ANY_PACKAGE, pathNot: npm(['@temporalio/(workflow|common)']) },
    },
    {
      name: 'workflows-only-domain',
      comment: 'Workflows orchestrate: they import the domain, each other, and types of activities.',
      severity: 'error',
      from: { path: '^workflows/' },
      to: { path: '^(policy|record|workers|client|test|bench|examples|tools)/' },
    },
    {
      name: 'workflows-activity-types',
      comment: 'Of activities, workflows see types only: the code would be bundled.',
      severity: 'error',
      from: { path: '^workflows/' },
      to: { path: '^activities/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'workflows-no-validators',
      comment: 'domain/request.ts holds zod schemas; workflow code may take its types, never its code.',
      severity: 'error',
      from: { path: '^workflows/' },
      to: { path: '^domain/request\\.ts$', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'activities-below',
      comment: 'Activities import domain, policy, record and the protocol, and never what composes or calls them.',
      severity: 'error',
      from: { path: '^activities/' },
      to: { path: ['^(workers|client|test|bench|examples|tools)/', '^workflows/(?!protocol\\.ts$)'] },
    },
    {
      name: 'activities-no-workflow-sdk',
      comment: 'An activity is not a workflow.',
      severity: 'error',
      from: { path: '^activities/' },
      to: { path: npm(['@temporalio/(workflow|worker|testing)']) },
    },
    {
      name: 'client-public-doors',
      comment: 'Of activities, the client calls the plain functions over the store that it shares with the worker, and nothing else.',
      severity: 'error',
      from: { path: '^client/' },
      to: {
        path: '^activities/',
        pathNot:
          '^activities/(submit|commit|commands|intake|read|tokens|core|config|connect|diagnose|open|codec|telemetry|engine|deps|errors|people)(/|\\.ts$)',
      },
    },
    {
      name: 'client-only-protocol',
      comment: 'The client speaks to workflows by their protocol alone.',
      severity: 'error',
      from: { path: '^client/' },
      to: { path: '^workflows/(?!protocol\\.ts$)' },
    },
    {
      name: 'client-no-worker',
      comment: 'The client runs without the worker’s native runtime.',
      severity: 'error',
      from: { path: '^client/' },
      to: { path: npm(['@temporalio/(workflow|worker|testing|activity)']) },
    },
    {
      name: 'nobody-imports-workers',
      comment: 'workers/ composes the process: it is started, not imported.',
      severity: 'error',
      from: { pathNot: '^(workers|test|bench)/' },
      to: { path: '^workers/' },
    },
    {
      name: 'workers-not-client',
      comment: 'The launcher starts the API as a process of its own, by path.',
      severity: 'error',
      from: { path: '^workers/' },
      to: { path: '^client/' },
    },
    {
      name: 'nobody-imports-client',
      comment: 'The client is a door to the outside: only examples, tests and benchmarks come through it.',
      severity: 'error',
      from: { pathNot: '^(client|examples|test|bench)/' },
      to: { path: '^client/' },
    },
    {
      name: 'nobody-imports-test',
      comment: 'What ships does not depend on its tests.',
      severity: 'error',
      from: { pathNot: '^(test|bench)/' },
      to: { path: '^(test|bench)/' },
    },
    {
      name: 'examples-outside',
      comment: 'An example is written as a reader would: through the client, the workflow helper and the protocol.',
      severity: 'error',
      from: { path: '^examples/' },
      to: { path: '^(activities|workers|policy|record|tools)/' },
    },
    {
      name: 'tools-alone',
      comment: 'Tools run on a bare clone, before anything is installed.',
      severity: 'error',
      from: { path: '^tools/' },
      to: { path: ['^(domain|policy|record|workflows|activities|workers|client|test|bench|examples)/', ANY_PACKAGE] },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|coverage)/' },
    moduleSystems: ['cjs', 'es6'],
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
      mainFields: ['module', 'main', 'types', 'typings'],
      extensions: ['.ts', '.d.ts', '.mts', '.cts', '.js', '.cjs', '.mjs', '.json'],
    },
  },
};
