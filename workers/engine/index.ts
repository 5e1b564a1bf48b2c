/** The one module that gets, starts and stops engines: `npm start`, the tests and the benchmarks all come through here. */
export { EngineError, type EngineErrorCode } from './errors';
export { startEngine, type Engine, type StartEngine } from './server';
export { startTimeSkipping, type StartTimeSkipping } from './time-skipping';
export { checkSearchAttributes, OPEN, registerSearchAttributes, SEARCH_ATTRIBUTES, type Access } from './search-attributes';
