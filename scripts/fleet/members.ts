/** The members in the control database: added, listed, forgotten. */
import type { Sql } from 'postgres';
import { z } from 'zod';
import { CallError } from '../call-error.ts';
import { UsageError } from '../command/usage.ts';
import { readDatabaseUrl } from '../connection/address.ts';
import { memberSchema } from './member.ts';
import type { NewMember } from './new-member.ts';
import { readSecret } from './secrets.ts';

const listed = memberSchema.extend({
  labels: z.array(z.string()),
  wave: z.string().nullish(),
  server: z.string().nullish(),
  address: z.string().nullish(),
  engine: z.number().nullish(),
});

export type ListedMember = z.output<typeof listed>;

/** The members that have all of these labels, by name. */
export async function listMembers(control: Sql, labels: readonly string[] = []): Promise<ListedMember[]> {
  const rows = await control`
    select name, kind, url, secret_kind, secret_name, labels, wave, server, address, engine
    from imago_fleet.member where labels @> ${[...labels]}::text[] order by name`;
  return z.array(listed).parse([...rows]);
}

/** Adds members, all or none. Those that are there are refused, or replaced. */
export async function addMembers(
  control: Sql,
  members: readonly NewMember[],
  replace: boolean,
): Promise<{ added: number; replaced: number }> {
  const names = members.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined)
    throw new UsageError(`${twice} is described twice.`, 'Nothing was added. Name each once.');
  const addresses = new Map<string, string>();
  for (const member of members) {
    const address = await addressOf(member, control);
    if (address !== undefined) addresses.set(member.name, address);
  }
  return await control.begin(async (tx) => {
    await tx`lock table imago_fleet.member in share row exclusive mode`;
    const there = await tx<
      { name: string }[]
    >`select name from imago_fleet.member where name = any (${names})`;
    if (there.length > 0 && !replace) {
      throw new CallError({
        code: 'EXISTS',
        message: `There is a member ${there[0]?.name} already. Nothing was added.`,
        hint: 'Add --replace to describe it again, or choose another name.',
      });
    }
    for (const member of members) {
      const row = { ...member, address: addresses.get(member.name) ?? null };
      await tx`
        insert into imago_fleet.member ${tx(row)}
        on conflict (name) do update set ${tx(row, 'kind', 'url', 'secret_kind', 'secret_name', 'labels', 'wave', 'server', 'address')}`;
    }
    return { added: members.length - there.length, replaced: there.length };
  });
}

/** Where it is, if its secret can be read from here; nobody is connected to. */
async function addressOf(member: NewMember, control: Sql): Promise<string | undefined> {
  if (member.kind === 'project') return undefined;
  let url: string;
  try {
    url = await readSecret(member, control);
  } catch {
    // It may lie where the workers are, and not here.
    return undefined;
  }
  const { host, port, database } = readDatabaseUrl(url, { name: `The database URL of ${member.name}` });
  return `${host}:${port}/${database}`;
}

/** Forgets members. One that is in a rollout that is open stays. */
export async function removeMembers(control: Sql, names: readonly string[]): Promise<number> {
  return await control.begin(async (tx) => {
    const [busy] = await tx<{ member: string; rollout: string }[]>`
      select x.member, x.rollout from imago_fleet.rollout_member x join imago_fleet.rollout r on r.id = x.rollout
      where x.member = any (${[...names]}) and r.state in ('running', 'paused', 'stopped') limit 1`;
    if (busy) {
      throw new CallError({
        code: 'IN_USE',
        message: `${busy.member} is in rollout ${busy.rollout}, which is open. Nothing was removed.`,
        hint: 'Wait for its end, or end it: imago fleet cancel',
      });
    }
    const there = await tx<{ name: string }[]>`
      select name from imago_fleet.member where name = any (${[...names]})`;
    const missing = names.find((name) => !there.some((row) => row.name === name));
    if (missing !== undefined) {
      throw new UsageError(
        `There is no member ${missing}. Nothing was removed.`,
        'imago fleet list shows them.',
      );
    }
    await tx`delete from imago_fleet.rollout_member where member = any (${[...names]})`;
    await tx`delete from imago_fleet.member where name = any (${[...names]})`;
    return there.length;
  });
}
