// Lint rules: the type-checked set everywhere, and what each folder's promise forbids on top.
// Import direction between folders is checked by .dependency-cruiser.cjs; here only what a name in scope can break.
import tseslint from 'typescript-eslint';

/** Reading a clock or chance where the instant and the ids are arguments. */
const impureCalls = [
  {
    selector: "CallExpression[callee.object.name='Date'][callee.property.name='now']",
    message: 'The instant is an argument here: Date.now() makes the result depend on when it runs.',
  },
  {
    selector: "NewExpression[callee.name='Date'][arguments.length=0]",
    message: 'The instant is an argument here: new Date() makes the result depend on when it runs.',
  },
  { selector: "CallExpression[callee.name='Date']", message: 'The instant is an argument here.' },
  {
    selector: "CallExpression[callee.object.name='Math'][callee.property.name='random']",
    message: 'Chance is an argument here: Math.random() cannot be repeated.',
  },
  { selector: "CallExpression[callee.object.name='performance'][callee.property.name='now']", message: 'The instant is an argument here.' },
];

/** Getters, setters and formatters that read the machine's zone or locale: replay on another machine differs. */
const zoneCalls = [
  {
    selector:
      'CallExpression[callee.property.name=/^(get|set)(FullYear|Year|Month|Date|Day|Hours|Minutes|Seconds|Milliseconds)$|^getTimezoneOffset$|^toLocale(Date|Time)?String$|^toLocale(Lower|Upper)Case$|^localeCompare$|^to(Date|Time)String$/]',
    message: 'It reads the zone or locale of the machine, and a replay elsewhere differs. Use UTC instants; local time is computed in an activity.',
  },
];

const nodeGlobals = ['process', 'Buffer', 'setImmediate', '__dirname', '__filename', 'require', 'global'].map((name) => ({
  name,
  message: 'This code runs without Node: take what it needs as an argument.',
}));
const io = ['fetch', 'WebSocket', 'XMLHttpRequest'].map((name) => ({ name, message: 'No I/O here: effects are activities.' }));
const timers = ['setTimeout', 'setInterval'].map((name) => ({ name, message: 'No timers here: time is an argument.' }));
const zones = ['Intl', 'Temporal'].map((name) => ({
  name,
  message: 'Zone and locale data differ between Node versions, and a replay breaks. Local time is computed in an activity.',
}));

const noNodeImports = {
  regex:
    '^(node:.*|assert|async_hooks|buffer|child_process|cluster|crypto|dns|events|fs|http|https|http2|net|os|path|perf_hooks|process|querystring|readline|stream|timers|tls|tty|url|util|v8|vm|worker_threads|zlib)(/.*)?$',
  message: 'No Node built-ins here.',
};

/** What each folder promises beyond the common rules. Exported so that a test can show that every ban bites, without types. */
export const promises = [
  {
    // Pure: the same arguments give the same result, in any process, at any time.
    files: ['domain/**/*.ts', 'policy/**/*.ts', 'record/**/*.ts'],
    ignores: ['record/store/**'],
    rules: {
      'no-restricted-syntax': ['error', ...impureCalls],
      'no-restricted-globals': ['error', ...nodeGlobals, ...io, ...timers],
      'no-restricted-imports': 'off',
      '@typescript-eslint/no-restricted-imports': ['error', { patterns: [noNodeImports] }],
    },
  },
  {
    // Replayed: the sandbox makes Date, Math.random and setTimeout deterministic; zones, locales and Node are not there.
    files: ['workflows/**/*.ts'],
    rules: {
      'no-restricted-syntax': ['error', ...zoneCalls],
      'no-restricted-globals': ['error', ...nodeGlobals, ...io, ...zones],
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [noNodeImports],
          paths: [
            { name: 'zod', message: 'No zod in workflow code: it is large and validation happens before the workflow starts.' },
            { name: 'moment-timezone', message: 'Local time is computed in an activity: zone data differs between versions.' },
          ],
        },
      ],
    },
  },
];

export default tseslint.config(
  { ignores: ['node_modules/', 'dist/', 'coverage/', '.countersign/', '**/*.d.ts'] },
  {
    linterOptions: { reportUnusedDisableDirectives: 'error', noInlineConfig: true },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports', disallowTypeAnnotations: false }],
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/prefer-promise-reject-errors': 'error',
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      '@typescript-eslint/ban-ts-comment': ['error', { 'ts-ignore': true, 'ts-nocheck': true, 'ts-expect-error': true, 'ts-check': false }],
      '@typescript-eslint/no-non-null-assertion': 'error',
      // Numbers in sentences are meant; anything else in a template is a mistake.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true }],
      // Parts are plain objects made by factories: their functions use no `this`, and are taken apart freely.
      '@typescript-eslint/unbound-method': 'off',
      // A factory's method may be async for its interface's sake.
      '@typescript-eslint/require-await': 'off',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-var': 'error',
      'prefer-const': 'error',
      'no-restricted-properties': ['error', { object: 'Object', property: 'setPrototypeOf', message: 'Prototypes are not changed.' }],
    },
  },
  ...promises,
  {
    // Jest's matchers and hand-parsed JSON: checked by the assertion itself, which the type checker cannot see.
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unsafe-assignment': 'off',
    },
  },
  {
    // Plain scripts: run before anything is installed, or read by a tool that wants CommonJS.
    files: ['**/*.{js,cjs,mjs}'],
    extends: [tseslint.configs.base],
    rules: { eqeqeq: ['error', 'always', { null: 'ignore' }], 'no-var': 'error', 'prefer-const': 'error' },
  },
);
