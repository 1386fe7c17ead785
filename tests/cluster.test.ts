import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { clusterExists, removeCluster, startCluster } from '../scripts/embedded/cluster.ts';

test.runIf(process.platform === 'linux')(
  'a PostgreSQL that cannot be reached over the loopback interface is named, and not left running',
  async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'imago-cluster-'));
    onTestFinished(async () => {
      await removeCluster(folder);
      await rm(folder, { recursive: true, force: true });
    });
    const elsewhere = { folder, settings: { listen_addresses: '127.0.0.2' } };
    const message = /cannot be reached at 127\.0\.0\.1:\d+ \(ECONNREFUSED\): is the loopback interface up\?/;

    await expect(startCluster(elsewhere)).rejects.toThrow(message);
    expect(clusterExists(folder)).toBe(false);

    const cluster = await startCluster({ folder });
    await cluster.stop();
    await expect(startCluster(elsewhere)).rejects.toThrow(message);
    expect(clusterExists(folder)).toBe(true);
    const again = await startCluster({ folder });
    await again.stop();
  },
);
