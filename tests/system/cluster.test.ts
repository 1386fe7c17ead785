import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { clusterExists, removeCluster, startCluster } from '../../scripts/embedded/cluster.ts';
import { runCommand } from '../support/command.ts';
import { removeEmbedded } from '../support/embedded.ts';

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

test.each([
  ['the Data API', 1],
  ['its commands', 2],
  ['PostgreSQL', 3],
])(
  'the embedded Supabase without a network port for %s says so, and leaves nothing running',
  async (_, from) => {
    const folder = await mkdtemp(path.join(tmpdir(), 'imago-ports-'));
    onTestFinished(() => removeEmbedded(folder));
    const noPorts = fileURLToPath(new URL('../support/no-ports.ts', import.meta.url));
    const { code, stdout, stderr } = await runCommand([], {
      IMAGO_FOLDER: folder,
      NODE_OPTIONS: `--import ${noPorts}`,
      NO_PORT_FROM: String(from),
    });
    expect(code).toBe(1);
    const said = stdout + stderr;
    expect(said).toMatch(/did not start: no network port is free on 127\.0\.0\.1 .+ End what holds so many/s);
    expect(said).not.toContain('Node.js v');
    expect(await readdir(folder)).not.toContain('state.json');
  },
);
