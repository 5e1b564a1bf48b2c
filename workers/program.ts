/**
 * How a program of ours is started as a process of its own, so that it takes little memory.
 * Promises nothing about which program it is. Must not import anything.
 */

/** For `node`: reads TypeScript. The hook for `require` alone: the one for `import` keeps a thread and a loader beside every thread of ours. */
export const TYPESCRIPT = ['--require', 'tsx/cjs'] as const;

/** For its environment. glibc keeps a pool of freed memory for each of the SDK's many threads, and gives little of it back; two pools do. */
export const LEAN = { MALLOC_ARENA_MAX: '2' } as const;
