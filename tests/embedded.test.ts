import { describe, expect, test } from 'vitest';
import { freshDatabase } from './support/database.ts';
import { checksums } from './support/imago.ts';

describe('test databases', () => {
  test('hold the sample app, the same each time', async () => {
    const first = await freshDatabase({ app: 'sample', users: 200 });
    const second = await freshDatabase({ app: 'sample', users: 200 });
    expect(await checksums(first.sql)).toEqual(await checksums(second.sql));
    expect(Object.keys(await checksums(first.sql))).toEqual([
      'users',
      'posts',
      'follows',
      'comments',
      'likes',
    ]);
    const anon = first.connect({ role: 'anon' });
    expect(await anon`select current_user, session_user`).toEqual([
      { current_user: 'anon', session_user: 'authenticator' },
    ]);
    await first.drop();
    await second.drop();
  });
  test('hold the guide', async () => {
    const db = await freshDatabase({ app: 'guide', users: 60 });
    console.log(await checksums(db.sql));
    console.log(
      await db.sql`select (select count(*) from posts) p, (select count(*) from avatars) a, (select count(*) from follows) f`,
    );
    await db.drop();
  });
});
