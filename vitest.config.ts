import { defineConfig } from 'vitest/config';
import { cheapStarts } from './tests/support/starts.ts';

/** What the tests that need a server have in common. What waits for something gives up by itself: these end what hangs. */
const withServer = {
  globalSetup: ['tests/support/cluster.ts'],
  testTimeout: 300_000,
  hookTimeout: 300_000,
};

export default defineConfig({
  test: {
    // Everything with a database runs on one PostgreSQL server, each test on a database of its own.
    pool: 'forks',
    // Two cores are idle for a third of the time with two: tests wait for processes to start, for locks and for timeouts.
    maxWorkers: 3,
    // For what tests start with their own environment.
    env: cheapStarts,
    // Real processes, sockets and kills on a machine that CI shares: one second try there, none here. Each is named at the
    // end, and three fail the run.
    retry: process.env.CI ? 1 : 0,
    reporters: ['default', './tests/support/retried.ts'],
    projects: [
      // No server, no process but its own: seconds.
      { extends: true, test: { name: 'unit', include: ['tests/unit/**/*.test.ts'], testTimeout: 30_000 } },
      // One server, the engine and one plan, through SQL: the main paths. No file replaces modules, so that all share them.
      {
        extends: true,
        test: { name: 'sql', include: ['tests/sql/**/*.test.ts'], isolate: false, ...withServer },
      },
      // All else: commands, Deno, other servers, kills, all plans, and what SQL alone takes long to prove.
      { extends: true, test: { name: 'system', include: ['tests/system/**/*.test.ts'], ...withServer } },
      // Once more on PostgreSQL 15: what stands on its triggers, counters and locks.
      {
        extends: true,
        test: {
          ...withServer,
          name: 'postgresql-15',
          include: ['proof', 'second-callers', 'session', 'side-rows', 'two-plans', 'surroundings'].map(
            (name) => `tests/{sql,system}/${name}.test.ts`,
          ),
          globalSetup: ['tests/support/cluster-15.ts'],
        },
      },
    ],
  },
});
