/** Clears away what commands leave in the folder of an embedded Supabase. */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { removeCluster } from '../../scripts/embedded/cluster.ts';

/** Removes such a folder: the servers of killed commands, too, and data that lies elsewhere because the servers run as another user. */
export async function removeEmbedded(folder: string): Promise<void> {
  for (const cluster of ['postgres', 'db/postgres']) await removeCluster(path.join(folder, cluster));
  await rm(folder, { recursive: true, force: true });
}
