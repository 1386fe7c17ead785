import type { TestProject } from 'vitest/node';
import { provideCluster } from './cluster.ts';

/** One server of PostgreSQL 15, the oldest that Supabase has, for tests that run on the newest as well. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  return await provideCluster(project, 15);
}
