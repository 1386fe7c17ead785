import { describe, expect, test } from 'vitest';
import { freshDatabase } from '../support/database.ts';
import { checksums } from '../support/imago.ts';

describe('the sample app', () => {
  test('is the same every time that it is made for as many users', async () => {
    const [first, second] = await Promise.all([
      freshDatabase({ app: 'sample', users: 200 }),
      freshDatabase({ app: 'sample', users: 200 }),
    ]);
    const sums = await checksums(first.sql);
    expect(Object.keys(sums)).toEqual(['users', 'posts', 'follows', 'comments', 'likes']);
    expect(await checksums(second.sql)).toEqual(sums);
    await Promise.all([first.drop(), second.drop()]);
  });

  test('has users with no and with many posts, null, empty and Unicode names, as real apps have', async () => {
    const db = await freshDatabase({ app: 'sample', users: 3000 });
    const [figures] = await db.sql`
      select
        count(*) filter (where posts = 0) > 900 as many_without_posts,
        percentile_disc(0.5) within group (order by posts) <= 2 as most_with_few,
        max(posts) > 1000 as some_with_many,
        bool_or(display_name is null) as null_names,
        bool_or(display_name = '') as empty_names,
        bool_or(display_name ~ '[^\\x01-\\x7f]') as unicode,
        count(distinct display_name) < count(display_name) as duplicates,
        max(length(bio)) > 10000 as long_bios
      from public.users
      left join lateral (select count(*) as posts from public.posts where user_id = users.id) as theirs on true`;
    expect(Object.entries(figures ?? {}).filter(([, there]) => there !== true)).toEqual([]);
    await db.drop();
  });

  test('can be made with no users at all, and with one', async () => {
    for (const users of [0, 1]) {
      const db = await freshDatabase({ app: 'sample', users });
      expect(await db.sql`select count(*)::int as users from public.users`).toEqual([{ users }]);
      await db.drop();
    }
  });
});
