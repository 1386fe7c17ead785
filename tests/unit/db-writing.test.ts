/** What the file of a version holds is run as SQL: a comment must not end before its line does. */
import { expect, test } from 'vitest';
import type { Effect } from '../../scripts/db/structure.ts';
import { versionText, wayBackText } from '../../scripts/db/writing.ts';

const forged = 'a\ndrop table users; --';

test('a message, and names in what was seen and in what is moved aside, begin no statement of their own', () => {
  const lost = { kind: 'table-lost', relation: { schema: 'public', name: forged } } as unknown as Effect;
  for (const text of [versionText(forged, [`new table ${forged}`], []), wayBackText(forged, [], [lost])]) {
    expect(text).toContain('drop table users');
    expect(text).not.toMatch(/^drop/m);
  }
});
