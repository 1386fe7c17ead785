import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    globalSetup: ['tests/support/cluster.ts'],
    // Everything runs on one PostgreSQL server, each test on a database of its own.
    pool: 'forks',
    // Two cores are idle for a third of the time with two: tests wait for processes to start, for locks and for timeouts.
    maxWorkers: 3,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Real processes, sockets and kills on a machine that CI shares: one second try there, reported as a retry; none here.
    retry: process.env.CI ? 1 : 0,
  },
});
