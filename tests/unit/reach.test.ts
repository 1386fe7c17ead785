/** A project on this machine is called without TLS: only where its name leads there. */
import dns from 'node:dns';
import { afterEach, expect, test, vi } from 'vitest';
import { reach } from '../../scripts/command/reach.ts';
import { Terminal } from '../../scripts/command/terminal.ts';
import { UsageError } from '../../scripts/command/usage.ts';

afterEach(() => void vi.restoreAllMocks());

const reached = (url: string, ...addresses: string[]) => {
  vi.spyOn(dns.promises, 'lookup').mockResolvedValue(
    addresses.map((address) => ({ address, family: 4 })) as never,
  );
  return reach({ kind: 'project', url, secretKey: 'key', databaseUrl: undefined }, new Terminal('error'));
};

test.each([
  ['http://localhost:54321', ['127.0.0.1', '::1']],
  ['http://127.0.0.1:54321', ['127.0.0.1']],
  ['https://localhost', ['203.0.113.7']],
])('%s with the addresses %j is reached', async (url, addresses) => {
  expect(await reached(url, ...addresses)).toMatchObject({ url, shared: true });
});

test.each([[['203.0.113.7']], [['127.0.0.1', '2001:db8::1']]])(
  'http://localhost with the addresses %j is refused before it is called',
  async (addresses) => {
    const refused = reached('http://localhost:54321', ...addresses);
    await expect(refused).rejects.toThrow(UsageError);
    await expect(refused).rejects.toThrow('leads to another machine');
  },
);
