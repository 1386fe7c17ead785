/**
 * The Data API of one database, as a process of its own, with the settings in BENCH_API. It says its URL. With `turns` it
 * holds back what a batch has answered, says how many users are moved, and passes it on when it is told to: whoever drives
 * the batches has nothing to do meanwhile.
 */
import { z } from 'zod';
import type { Cluster } from '../scripts/embedded/cluster.ts';
import { type DataApi, openDataApi, serveHttp } from '../scripts/embedded/data-api.ts';

const settings = z
  .object({
    /** Database URLs by role. */
    urls: z.object({ postgres: z.string(), supabase_admin: z.string(), authenticator: z.string() }),
    keys: z.object({ publishableKey: z.string(), secretKey: z.string(), jwtSecret: z.string() }),
    turns: z.boolean(),
  })
  .parse(JSON.parse(process.env.BENCH_API ?? ''));

let api: Pick<DataApi, 'answer'> | undefined;
const { url } = await serveHttp(undefined, () => api);
// The cluster is our parent's; the Data API asks it for URLs only.
const cluster = { url: (role = 'postgres') => settings.urls[role] } as Cluster;
const whole = await openDataApi(cluster, settings.keys, url);
api = settings.turns ? inTurns(whole) : whole;
process.send?.({ url });

function inTurns({ answer }: DataApi): Pick<DataApi, 'answer'> {
  let moved = 0;
  return {
    async answer(request, peerAddress) {
      const response = await answer(request, peerAddress);
      if (!new URL(request.url).pathname.endsWith('/rpc/migrate_batch')) return response;
      const { migrated } = (await response.clone().json()) as { migrated?: number };
      moved += migrated ?? 0;
      const told = new Promise((resolve) => process.once('message', resolve));
      process.send?.({ moved });
      await told;
      return response;
    },
  };
}
