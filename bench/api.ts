/** The Data API of one database, as a process of its own, with the settings in BENCH_API; it says its URL. */
import { z } from 'zod';
import type { Cluster } from '../scripts/embedded/cluster.ts';
import { openDataApi, serveHttp } from '../scripts/embedded/data-api.ts';

const settings = z
  .object({
    /** Database URLs by role. */
    urls: z.object({ postgres: z.string(), supabase_admin: z.string(), authenticator: z.string() }),
    keys: z.object({ publishableKey: z.string(), secretKey: z.string(), jwtSecret: z.string() }),
  })
  .parse(JSON.parse(process.env.BENCH_API ?? ''));

let api: Awaited<ReturnType<typeof openDataApi>> | undefined;
const { url } = await serveHttp(undefined, () => api);
// The cluster is our parent's; the Data API asks it for URLs only.
const cluster = { url: (role = 'postgres') => settings.urls[role] } as Cluster;
api = await openDataApi(cluster, settings.keys, url);
process.send?.({ url });
